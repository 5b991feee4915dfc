"""One generator beneath all of it: pictures of any source in, predictions out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, overload

import numpy as np

from mmdet.datasets.image_file import read_image

from .detector import Detector, load_detector
from .inference import infer, inference_pipeline
from .prediction import Prediction

Source = str | Path | np.ndarray


@overload
def predict(
    model: Detector | str | Path, source: Source, *, stream: Literal[True]
) -> Iterator[Prediction]: ...
@overload
def predict(
    model: Detector | str | Path, source: Source, *, stream: Literal[False] = False
) -> list[Prediction]: ...
def predict(
    model: Detector | str | Path, source: Source, *, stream: bool = False
) -> Iterator[Prediction] | list[Prediction]:
    """Find the instances in the pictures of a source.

    Args:
        model: of `init_detector`, or a checkpoint that carries its config.
        source: an image's path, or a (h, w, 3) uint8 BGR array.
        stream: return a generator, whose memory does not grow with the source; otherwise a list.

    Raises:
        UserError: the checkpoint or an image cannot be read.
    """
    detector = load_detector(model) if isinstance(model, str | Path) else model
    found = _predict(detector, source)
    return found if stream else list(found)


def _predict(model: Detector, source: Source) -> Iterator[Prediction]:
    pipeline = inference_pipeline(model.cfg)
    is_array = isinstance(source, np.ndarray)
    image = source if is_array else read_image(str(source))
    (sample,) = infer(model, [image], pipeline)
    yield Prediction(
        image=image,
        instances=sample.pred_instances,
        classes=model.dataset_meta['classes'],
        path='' if is_array else str(source),
        palette=model.dataset_meta.get('palette'),
    )
