"""What was found in one picture; it converts itself to what others read.

Shape letters: N instances, (h, w) the picture.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from mmengine.structures import InstanceData

from mmdet.structures import RLEMasks
from mmdet.visualization import draw_instances
from mmdet.visualization.palette import Color, class_colors


@dataclass(frozen=True, eq=False)
class Prediction:
    """The instances in one picture, best first.

    Attributes:
        image: (h, w, 3) uint8 BGR, as it was read.
        instances: `scores` (N,), `labels` (N,), `bboxes` (N, 4) xyxy, `masks` (`RLEMasks`).
        classes: the names of all classes that the model knows.
        path: where the picture came from; empty for an array.
        frame: its number in a video or stream, from 0; None for a picture.
        time: in seconds from the beginning of a video; None for a picture.
        palette: a colour for each class; by default distinct ones.
    """

    image: np.ndarray
    instances: InstanceData
    classes: tuple[str, ...]
    path: str = ''
    frame: int | None = None
    time: float | None = None
    palette: Sequence[Color] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def scores(self) -> np.ndarray:
        """(N,) float32 in [0, 1]."""
        return self.instances.scores.numpy()

    @property
    def labels(self) -> np.ndarray:
        """(N,) int64 indices of `classes`."""
        return self.instances.labels.numpy()

    @property
    def names(self) -> list[str]:
        """The N instances' classes by name."""
        return [self.classes[label] for label in self.labels]

    @property
    def boxes(self) -> np.ndarray:
        """(N, 4) float32 xyxy around the masks, in pixels."""
        return self.instances.bboxes.numpy()

    @property
    def rles(self) -> list[dict]:
        """The N masks as COCO's RLE, `dict(size=[h, w], counts=bytes)`."""
        return self._masks.rles

    @cached_property
    def masks(self) -> np.ndarray:
        """(N, h, w) boolean."""
        return self._masks.to_ndarray().astype(bool)

    @property
    def _masks(self) -> RLEMasks:
        return self.instances.masks

    def filter(
        self, score_thr: float = 0.0, classes: Collection[str] | None = None
    ) -> 'Prediction':
        """Return the instances that score at least `score_thr` and are of these classes, or any."""
        kept = self.instances.scores >= score_thr
        if classes is not None:
            wanted = [name in classes for name in self.names]
            kept = kept & kept.new_tensor(wanted)
        return replace(self, instances=self.instances[kept])

    def plot(self, *, alpha: float = 0.45, boxes: bool = False) -> np.ndarray:
        """Return the (h, w, 3) uint8 BGR picture with the instances drawn into it.

        Args:
            alpha: strength of the masks' tint, from 0 to 1.
            boxes: frame the instances, too.
        """
        palette = class_colors(self.palette, len(self.classes))
        colors = [palette[label] for label in self.labels[::-1]]
        captions = [
            f'{name} {score:.2f}'
            for name, score in zip(self.names[::-1], self.scores[::-1], strict=True)
        ]
        # The best instance is drawn last, over the others.
        drawn = draw_instances(
            self.image[..., ::-1],
            self.masks[::-1],
            captions,
            colors,
            alpha=alpha,
            box_colors=colors if boxes else None,
        )
        return drawn[..., ::-1]

    def save(self, path: str | Path) -> None:
        """Write the picture of `plot`."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), self.plot())
