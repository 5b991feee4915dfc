"""The visualizer of detections."""

from pathlib import Path

import numpy as np
from mmengine.structures import InstanceData
from mmengine.visualization import Visualizer
from torch import Tensor

from mmdet.registry import VISUALIZERS
from mmdet.structures import BitmapMasks, DetDataSample, PackedMasks, RLEMasks

from .draw import draw_instances
from .image_file import write_image
from .palette import ColorChoice, class_colors


@VISUALIZERS.register_module()
class DetLocalVisualizer(Visualizer):
    """mmengine's visualizer, taught to draw instance masks.

    `dataset_meta` gives the class names and, as `palette`, their colours. A colour is a name that
    mmcv knows, RGB in [0, 255], or a list of RGB for the classes.

    Args:
        name: of the visualizer.
        image: (h, w, 3) RGB to draw into with mmengine's own methods.
        vis_backends: configs of mmengine's backends, which keep pictures and curves.
        save_dir: folder of the backends; without one those that need it are left out.
        bbox_color: colour of the boxes around the masks; by default none are drawn.
        text_color: colour of the captions.
        mask_color: colour of the masks; by default the classes' own.
        line_width: of outlines and boxes in pixels; by default it grows with the image.
        alpha: strength of the masks' tint, from 0 to 1.

    Raises:
        UserError: there is no such colour; when drawing, fewer colours than classes.
    """

    def __init__(
        self,
        name: str = 'visualizer',
        image: np.ndarray | None = None,
        vis_backends: list[dict] | dict | None = None,
        save_dir: str | None = None,
        bbox_color: ColorChoice = None,
        text_color: ColorChoice = 'white',
        mask_color: ColorChoice = None,
        line_width: int | None = None,
        alpha: float = 0.45,
    ) -> None:
        super().__init__(name=name, image=image, vis_backends=vis_backends, save_dir=save_dir)
        for choice in (bbox_color, text_color, mask_color):
            class_colors(choice, 0)  # complains of names that are none
        self.bbox_color = bbox_color
        self.text_color = text_color
        self.mask_color = mask_color
        self.line_width = line_width
        self.alpha = alpha

    @property
    def dataset_meta(self) -> dict | None:
        """The data set's metainfo, in every process: each draws the images that it tested."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        self._dataset_meta = dataset_meta

    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: DetDataSample | None = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | None = None,
        pred_score_thr: float = 0.3,
        step: int = 0,
    ) -> None:
        """Draw the ground truth, if there is one, and the prediction side by side.

        The picture goes to the file, the window or both if asked for, else to the backends;
        `get_image` returns it.

        Args:
            name: of the picture.
            image: (h, w, 3) RGB in [0, 255], at the original size.
            data_sample: with predicted masks at the original size, on any device.
            draw_gt: draw `gt_instances`.
            draw_pred: draw `pred_instances`.
            show: open a window, and wait until it is closed or the space bar pressed.
            wait_time: go on after so many seconds; 0 for never.
            out_file: write there, in the format of its name.
            pred_score_thr: leave out predictions with a lower score.
            step: iteration, for the backends.

        Raises:
            UserError: pictures cannot have the format of `out_file`.
            OSError: it cannot be written.
        """
        image = image.clip(0, 255).astype(np.uint8)
        data_sample = DetDataSample() if data_sample is None else data_sample.cpu()
        panels = []
        if draw_gt and 'masks' in data_sample.get('gt_instances', ()):
            panels.append(self._draw(image, data_sample.gt_instances))
        if draw_pred and 'masks' in data_sample.get('pred_instances', ()):
            found = data_sample.pred_instances
            panels.append(self._draw(image, found[found.scores >= pred_score_thr]))
        picture = np.concatenate(panels, axis=1) if panels else image
        self.set_image(picture)
        if show:
            self.show(picture, win_name=name, wait_time=wait_time)
        if out_file is not None:
            write_image(Path(out_file), np.ascontiguousarray(picture[..., ::-1]))
        if not show and out_file is None:
            self.add_image(name, picture, step)

    def _draw(self, image: np.ndarray, instances: InstanceData) -> np.ndarray:
        masks = _at_size(instances.masks, image.shape[:2])
        # The best instance is drawn last, over the others.
        masks, labels = masks[::-1], instances.labels.tolist()[::-1]
        meta = self.dataset_meta or {}
        classes = meta.get('classes') or [
            f'class {label}' for label in range(max([*labels, 0]) + 1)
        ]
        captions = [classes[label] for label in labels]
        if 'scores' in instances:
            scores = instances.scores.tolist()[::-1]
            captions = [f'{text} {score:.2f}' for text, score in zip(captions, scores, strict=True)]

        def colors(choice: ColorChoice) -> list[tuple[int, int, int]]:
            of_class = class_colors(choice, len(classes))
            return [of_class[label] for label in labels]

        return draw_instances(
            image,
            masks,
            captions,
            colors(self.mask_color or meta.get('palette') or None),
            alpha=self.alpha,
            line_width=self.line_width,
            text_colors=colors(self.text_color),
            box_colors=None if self.bbox_color is None else colors(self.bbox_color),
        )


def _at_size(
    masks: PackedMasks | RLEMasks | BitmapMasks | Tensor | np.ndarray, size: tuple[int, ...]
) -> RLEMasks | np.ndarray:
    """Return masks as they can be looked at one by one, at an image's (h, w)."""
    if isinstance(masks, RLEMasks) and (masks.height, masks.width) == size:
        return masks
    if isinstance(masks, BitmapMasks):
        bitmaps = masks.masks
    else:
        is_packed = isinstance(masks, PackedMasks | RLEMasks)
        bitmaps = masks.to_ndarray() if is_packed else np.asarray(masks)
    if bitmaps.shape[1:] == size:
        return bitmaps
    # The pipeline resized after it had loaded the annotations.
    return BitmapMasks(bitmaps, *bitmaps.shape[1:]).resize((size[0], size[1])).masks
