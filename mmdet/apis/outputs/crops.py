"""Instances cut out of their pictures."""

from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from mmdet.apis.prediction import Prediction
from mmdet.visualization.image_file import write_image

from .names import Names, as_file_name


class Crops:
    """`CLASS/NAME_1.png`, `CLASS/NAME_2.png` ..., best first, transparent beside the mask.

    Args:
        folder: where they are written.
        names: of all that is written.
    """

    def __init__(self, folder: Path, names: Names) -> None:
        self._folder = folder
        self._names = names
        self.places: list[str] = []
        self.notes: list[str] = []

    def add(self, prediction: Prediction) -> None:
        """Write a picture's instances."""
        name = self._names.of_picture(prediction)
        found = zip(prediction.names, prediction.rles, prediction.boxes, strict=True)
        for number, (label, rle, box) in enumerate(found, 1):
            left, top, right, bottom = box.round().astype(int)
            if left < right and top < bottom:  # an empty mask has nothing to cut out
                part = np.s_[top:bottom, left:right]
                opacity = coco_mask.decode(rle)[part] * np.uint8(255)
                cut = np.dstack((prediction.image[part], opacity))
                file = self._folder / (as_file_name(label) or 'class') / f'{name}_{number}.png'
                write_image(file, cut)
                self.places = [str(self._folder)]

    def close(self) -> None:
        """Nothing is open."""
