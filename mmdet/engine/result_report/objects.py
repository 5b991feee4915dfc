"""The objects of a test, and which of them were found.

Shape letters: T objects to find in all images.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from pycocotools import mask as coco_mask

from mmdet.datasets.coco_values import Identifier
from mmdet.evaluation.analysis import ImageComparison, Matches


@dataclass
class Objects:
    """Collected image by image; crowd regions are left out."""

    _parts: list[tuple[np.ndarray, ...]] = field(default_factory=list)
    _images: list[Identifier] = field(default_factory=list)

    def add(self, image: ImageComparison, matches: Matches) -> None:
        """Take the objects of an image."""
        sought = np.flatnonzero(~image.crowds)
        rles = [image.object_rles[index] for index in sought]
        boxes = np.asarray(coco_mask.toBbox(rles)).reshape(-1, 4) if rles else np.zeros((0, 4))
        self._parts.append(
            (
                np.full(len(sought), len(self._images)),
                image.object_labels[sought],
                image.object_areas[sought],
                np.sqrt(boxes[:, 2] * boxes[:, 3]),
                matches.found[sought],
            )
        )
        self._images.append(image.img_id)

    @property
    def labels(self) -> np.ndarray:
        """(T,) int."""
        return self._columns[1]

    @property
    def areas(self) -> np.ndarray:
        """(T,) in pixels, as the annotations say."""
        return self._columns[2]

    @property
    def found(self) -> np.ndarray:
        """(T,) bool, whether a prediction of the class, whatever its score, overlaps by 0.5."""
        return self._columns[4]

    def sides(self, factors: dict[Identifier, float]) -> np.ndarray:
        """Return (T,) sqrt(box area) in the network's input.

        Args:
            factors: how many times as large as its file each image is there; one if unknown.
        """
        of_image = np.array([factors.get(each, 1.0) for each in self._images])
        return self._columns[3] * of_image[self._columns[0]]

    @cached_property
    def _columns(self) -> list[np.ndarray]:
        kinds = int, int, float, float, bool
        return [
            np.concatenate([np.zeros(0, kind), *(part[place] for part in self._parts)])
            for place, kind in enumerate(kinds)
        ]
