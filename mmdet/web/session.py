"""What the models found in one visitor's file: kept, so that filters never run a model again."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from mmdet.apis import Prediction, predict
from mmdet.apis.detector import Detector
from mmdet.errors import UserError

from .upload import Upload
from .view import svg_paths

_QUALITY = 95  # of the JPEG that stands for a picture, in percent


@dataclass(frozen=True)
class Frame:
    """A picture, or a frame of a video, and what each model found in it.

    Attributes:
        jpeg: the picture, packed: a video's frames would take gigabytes otherwise.
        found: a prediction for each model, its `image` empty but for its shape. The instances have
            a `number` from 1, which stays when others are filtered out; a `turn`, how many of the
            same class are better; and an `outline`, an SVG path in pixels of the picture.
    """

    jpeg: bytes
    found: tuple[Prediction, ...]

    def picture(self) -> np.ndarray:
        """Return the (h, w, 3) uint8 BGR picture."""
        image = cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None  # we packed it
        return image


@dataclass(frozen=True)
class Session:
    """One visitor's file.

    Attributes:
        name: of the file, as the visitor knows it.
        models: the models' names, in the order of `Frame.found`.
        frames: one for a picture.
        notes: what the visitor should know about them.
    """

    name: str
    models: tuple[str, ...]
    frames: tuple[Frame, ...]
    notes: tuple[str, ...] = ()

    def frame(self, index: float) -> Frame:
        """Return a frame by its number from 0, or the nearest that there is."""
        return self.frames[min(max(int(index), 0), len(self.frames) - 1)]

    def classes(self) -> list[str]:
        """Return the classes that any model found, the most frequent first."""
        names = (name for frame in self.frames for each in frame.found for name in each.names)
        return [name for name, _ in Counter(names).most_common()]


def analyse(
    detectors: Mapping[str, Detector],
    upload: Upload,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Session:
    """Run each model once on each picture.

    Args:
        detectors: by the names under which they are shown.
        upload: of `open_upload`; its pictures are used up.
        progress: called with how many pictures are done, and how many there are, if known.

    Raises:
        UploadError: none of the pictures can be read.
    """
    frames: list[Frame] = []
    for image in upload.images:
        progress(len(frames), upload.total)
        found = (predict(detector, image)[0] for detector in detectors.values())
        kept = tuple(_kept(each, upload.name, frame=len(frames)) for each in found)
        _, packed = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        frames.append(Frame(packed.tobytes(), kept))
    return Session(upload.name, tuple(detectors), tuple(frames), tuple(upload.notes))


def _kept(prediction: Prediction, name: str, *, frame: int) -> Prediction:
    instances = prediction.instances.clone()
    labels = instances.labels
    earlier = [int((labels[:index] == label).sum()) for index, label in enumerate(labels)]
    instances.number = torch.arange(1, len(labels) + 1)
    instances.turn = torch.tensor(earlier, dtype=torch.long)
    instances.outline = svg_paths(instances.masks)
    # It has the picture's shape, but all of its pixels are one in memory.
    placeholder = np.broadcast_to(np.uint8(0), prediction.image.shape)
    return replace(prediction, image=placeholder, instances=instances, path=name, frame=frame)


def model_names(checkpoints: Sequence[str]) -> list[str]:
    """Return a short name for each checkpoint, with as many of its folders as tell them apart.

    Raises:
        UserError: two are the same file.

    Examples:
        >>> model_names(['runs/solo/epoch_9.pth', 'runs/solov2/epoch_9.pth'])
        ['solo/epoch_9', 'solov2/epoch_9']
    """
    parts = [Path(each).absolute().with_suffix('').parts for each in checkpoints]
    for number in range(1, max(map(len, parts)) + 1):
        names = ['/'.join(each[-number:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    raise UserError('a checkpoint is named twice: the page shows different ones side by side')
