"""The visualizer of detections."""

from collections.abc import Sequence
from pathlib import Path

import mmcv
import numpy as np
from mmengine.structures import InstanceData
from mmengine.visualization import Visualizer

from mmdet.registry import VISUALIZERS
from mmdet.structures import BitmapMasks, DetDataSample

from .draw import draw_instances
from .palette import distinct_colors


@VISUALIZERS.register_module()
class DetLocalVisualizer(Visualizer):
    """mmengine's visualizer, taught to draw instance masks; see `Visualizer` for the arguments.

    `dataset_meta` gives the class names and, as `palette`, their colours.
    """

    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: DetDataSample,
        draw_gt: bool = True,
        draw_pred: bool = True,
        out_file: str | None = None,
        pred_score_thr: float = 0.3,
        step: int = 0,
    ) -> None:
        """Draw the ground truth, if there is one, and the prediction side by side.

        Args:
            name: of the picture.
            image: (h, w, 3) uint8 RGB, at the original size.
            data_sample: with predicted masks at the original size.
            draw_gt: draw `gt_instances`.
            draw_pred: draw `pred_instances`.
            out_file: write there instead of to the backends.
            pred_score_thr: leave out predictions with a lower score.
            step: iteration, for the backends.
        """
        panels = []
        if draw_gt and 'gt_instances' in data_sample and 'masks' in data_sample.gt_instances:
            panels.append(self._draw(image, data_sample.gt_instances))
        if draw_pred and 'pred_instances' in data_sample:
            found = data_sample.pred_instances
            panels.append(self._draw(image, found[found.scores >= pred_score_thr]))
        picture = np.concatenate(panels, axis=1) if panels else image
        if out_file is None:
            self.add_image(name, picture, step)
        else:
            Path(out_file).parent.mkdir(parents=True, exist_ok=True)
            mmcv.imwrite(picture[..., ::-1], out_file)

    def _draw(self, image: np.ndarray, instances: InstanceData) -> np.ndarray:
        masks = instances.masks.to_tensor().numpy()
        if masks.shape[1:] != image.shape[:2]:
            # The pipeline resized after it had loaded the annotations.
            masks = BitmapMasks(masks, *masks.shape[1:]).resize(image.shape[:2]).masks
        labels = instances.labels.tolist()
        classes: Sequence[str] = self.dataset_meta['classes']
        palette = self.dataset_meta.get('palette') or distinct_colors(len(classes))
        captions = [classes[label] for label in labels]
        if 'scores' in instances:
            scores = instances.scores.tolist()
            captions = [f'{text} {score:.2f}' for text, score in zip(captions, scores, strict=True)]
        # The best instance is drawn last, over the others.
        return draw_instances(
            image, masks[::-1], captions[::-1], [palette[label] for label in labels][::-1]
        )
