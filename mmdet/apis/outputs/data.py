"""Predictions as data: COCO's results in one file, YOLO's polygons in a file a picture."""

import json
from collections.abc import Sequence
from pathlib import Path

from mmdet.apis.prediction import Prediction
from mmdet.utils.files import write_whole

from .files import JsonList
from .names import Names


class CocoJson:
    """`predictions.json`, COCO's list of results, and `images.json`, what its ids mean.

    A picture's id is the number that its name is (`000000000139.jpg`: 139), as in COCO, or else
    its name.

    Args:
        folder: where both files are written.
        names: of all that is written.
        classes: that the model knows.
    """

    def __init__(self, folder: Path, names: Names, classes: Sequence[str]) -> None:
        results, images = folder / 'predictions.json', folder / 'images.json'
        categories = [dict(id=index, name=name) for index, name in enumerate(classes, 1)]
        known = json.dumps(categories, ensure_ascii=False)
        self._results = JsonList(results)
        self._images = JsonList(images, head=f'{{"categories": {known},\n"images": [', tail=']}')
        self._names = names
        self._numbers: set[int] = set()
        self.places = [str(results), str(images)]
        self.notes: list[str] = []

    def add(self, prediction: Prediction) -> None:
        """Append a picture and its instances."""
        name = self._names.of_picture(prediction)
        image_id: int | str = name
        if name.isdecimal() and int(name) not in self._numbers:
            image_id = int(name)
            self._numbers.add(image_id)
        height, width = prediction.image.shape[:2]
        image = dict(id=image_id, file_name=prediction.path, height=height, width=width)
        if prediction.frame is not None:
            image |= dict(frame=prediction.frame, time=prediction.time)
        self._images.append([image])
        # Of a `bbox` pycocotools would take the area for the instance's, which gives small, medium
        # and large ones other figures.
        results = prediction.to_coco(image_id=image_id)
        self._results.append([_without(each, 'bbox') for each in results])

    def close(self) -> None:
        """Close the files."""
        self._results.close()
        self._images.close()


def _without(item: dict, key: str) -> dict:
    return {name: value for name, value in item.items() if name != key}


class YoloText:
    """`labels/NAME.txt`, a line `class x1 y1 x2 y2 ...` an instance, and `classes.txt`.

    Args:
        folder: where they are written.
        names: of all that is written.
        classes: that the model knows; a line's first number counts them from 0.
    """

    def __init__(self, folder: Path, names: Names, classes: Sequence[str]) -> None:
        self._folder = folder / 'labels'
        self._names = names
        write_whole(folder / 'classes.txt', '\n'.join([*classes, '']).encode())
        self.places = [str(self._folder), str(folder / 'classes.txt')]
        self.notes: list[str] = []

    def add(self, prediction: Prediction) -> None:
        """Write a picture's file, which is empty where nothing was found."""
        text = ''.join(f'{line}\n' for line in prediction.to_yolo())
        write_whole(self._folder / f'{self._names.of_picture(prediction)}.txt', text.encode())

    def close(self) -> None:
        """Nothing is open."""
