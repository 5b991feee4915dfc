"""What was found in one picture; it converts itself to what others read.

Shape letters: N instances, (h, w) the picture.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mmengine.structures import InstanceData

from mmdet.errors import missing_package
from mmdet.structures import RLEMasks
from mmdet.structures.outlines import join, trace
from mmdet.visualization import draw_instances
from mmdet.visualization.image_file import write_image
from mmdet.visualization.palette import Color, class_colors

from .convert import coco_results, labelme_file, yolo_lines

if TYPE_CHECKING:
    from supervision import Detections

_NAMED = 10  # instances by `repr`


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

    def __repr__(self) -> str:
        where = [repr(self.path)] if self.path else []
        where += [] if self.frame is None else [f'frame {self.frame}']
        best = zip(self.names[:_NAMED], self.scores[:_NAMED], strict=True)
        found = [f'{name} {score:.2f}' for name, score in best]
        found += [f'{len(self) - _NAMED} more'] if len(self) > _NAMED else []
        return f'<Prediction {", ".join([*where, ""])}{", ".join(found) or "nothing"}>'

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

    @cached_property
    def polygons(self) -> list[list[np.ndarray]]:
        """Of each of the N instances a polygon for each of its parts, (n, 2) float32 in pixels.

        They follow the masks to within half a pixel. A hole is cut out along a line from the
        outline to the hole and back, so the polygon's area is the part's. An empty mask has none.
        """
        return [[join(part) for part in trace(mask, tolerance=0.5)] for mask in self._masks]

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
            self._masks[::-1],
            captions,
            colors,
            alpha=alpha,
            box_colors=colors if boxes else None,
        )
        return drawn[..., ::-1]

    def save(self, path: str | Path) -> None:
        """Write the picture of `plot` in the format that the file's name ends in.

        Raises:
            UserError: there is no such format.
            OSError: it cannot be written.
        """
        write_image(Path(path), self.plot())

    def to_coco(
        self,
        image_id: int | str | None = None,
        category_ids: Sequence[int] | None = None,
    ) -> list[dict]:
        """Return the instances as COCO's results, ready for JSON.

        Args:
            image_id: of the picture in the annotation file; by default a frame's number, else the
                file's name without its ending, as a number if it is one (`000000000139.jpg`).
            category_ids: of the classes in the annotation file; by default 1, 2, 3 ...

        Returns:
            `image_id`, `category_id`, `score`, `bbox` (xywh in pixels), `area` (pixels) and
            `segmentation` (RLE, its counts as text) of each. The masks are exactly these. Take
            `bbox` out for pycocotools' `loadRes`, which would take its area for the mask's.
        """
        if image_id is None:
            stem = Path(self.path).stem
            image_id = int(stem) if stem.isdecimal() else stem
            image_id = image_id if self.frame is None else self.frame
        return coco_results(
            self.rles,
            self.labels,
            self.scores,
            self.boxes,
            self._masks.areas,
            image_id=image_id,
            category_ids=category_ids,
        )

    def to_yolo(self) -> list[str]:
        """Return the lines of Ultralytics' label file, `class x1 y1 x2 y2 ...`, one an instance.

        Coordinates are `polygons`' in [0, 1]. As Ultralytics does it, parts that lie apart are
        joined by lines without area. Scores are not in the format; nor are empty masks, which are
        left out.
        """
        joined = [join(parts) if parts else np.zeros((0, 2)) for parts in self.polygons]
        return yolo_lines(joined, self.labels, self.image.shape[:2])

    def to_labelme(self) -> dict:
        """Return the content of labelme's file, ready for JSON, to be put beside the picture.

        It has the parts of an instance as `polygons` with one `group_id`, and the score as
        description. It holds the picture itself where there is no file of it: of an array, a frame
        or an address. Empty masks are not in the format, and are left out.
        """
        is_file = self.frame is None and '://' not in self.path
        name = Path(self.path).name if is_file else ''
        return labelme_file(self.polygons, self.names, self.scores, self.image, name)

    def to_supervision(self) -> 'Detections':
        """Return supervision's `Detections`, with the names as `class_name` in its `data`.

        Raises:
            UserError: supervision is not installed.
        """
        try:
            from supervision import Detections
        except ImportError:
            raise missing_package('to_supervision needs supervision', 'supervision') from None
        return Detections(
            xyxy=self.boxes,
            mask=self.masks,
            confidence=self.scores,
            class_id=self.labels,
            data={'class_name': np.array(self.names, dtype=str)},
        )
