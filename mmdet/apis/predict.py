"""One generator beneath all of it: pictures of any source in, predictions out."""

import logging
from collections.abc import Collection, Generator
from contextlib import closing
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Literal, overload

from mmengine.logging import print_log

from mmdet.errors import UserError

from .detector import Detector, load_detector
from .inference import infer, inference_pipeline
from .prediction import Prediction
from .sources import Pictures, Source, open_source
from .tiles import infer_tiled, tile_boxes


@overload
def predict(
    model: Detector | str | Path,
    source: Source,
    stream: Literal[True],
    *,
    batch_size: int = 1,
    score_thr: float = 0.0,
    classes: Collection[str] | None = None,
    tile: int | None = None,
    device: str | None = None,
    strict: bool = False,
) -> Generator[Prediction, None, None]: ...
@overload
def predict(
    model: Detector | str | Path,
    source: Source,
    stream: Literal[False] = False,
    *,
    batch_size: int = 1,
    score_thr: float = 0.0,
    classes: Collection[str] | None = None,
    tile: int | None = None,
    device: str | None = None,
    strict: bool = False,
) -> list[Prediction]: ...
def predict(
    model: Detector | str | Path,
    source: Source,
    stream: bool = False,
    *,
    batch_size: int = 1,
    score_thr: float = 0.0,
    classes: Collection[str] | None = None,
    tile: int | None = None,
    device: str | None = None,
    strict: bool = False,
) -> Generator[Prediction, None, None] | list[Prediction]:
    """Find the instances in the pictures of a source.

    What is wrong with the model, the source or an option is raised by the call itself, before the
    first picture.

    Args:
        model: of `init_detector`, or a checkpoint that carries its config.
        source: a picture, folder, pattern, list file, video, camera, address, array, or several
            of these; see `open_source`.
        stream: return a generator, whose memory does not grow with the source; otherwise a list.
        batch_size: how many pictures go through the network together, where they have one size.
            It changes no result.
        score_thr: instances that score less are left out, from 0 to 1; what scores less than
            the `test_cfg` of the model's config asks for is not there anyway.
        classes: names of classes, of which alone instances are wanted; by default all.
        tile: look at large pictures in squares of so many pixels a side, see `infer_tiled`; smaller
            pictures are seen at once.
        device: where a checkpoint's model runs; by default the first GPU, else the CPU.
        strict: a broken picture or frame among several raises. Otherwise it is left out, so that
            there may be fewer results than pictures; a warning at the end says which.
            What else there is to say about the source is logged then, too.

    Raises:
        UserError: the checkpoint or the source cannot be read, a class is unknown to the model, or
            an option has no such value.
    """
    if not isinstance(batch_size, int) or batch_size < 1:
        raise UserError(f'batch_size is {batch_size}: it takes a whole number from 1')
    if not 0 <= score_thr <= 1:
        raise UserError(f'score_thr is {score_thr}: it takes a number from 0 to 1')
    if tile is not None:
        tile_boxes((1, 1), tile)  # raises if there are no such tiles
    if device is not None and not isinstance(model, str | Path):
        raise UserError(
            f'device is {device!r}, but a model stays where it is: name it when loading'
        )
    detector = load_detector(model, device=device) if isinstance(model, str | Path) else model
    wanted = None if classes is None else known_classes(classes, detector.dataset_meta['classes'])
    pictures = open_source(source, strict=strict)
    found = _predict(detector, pictures, batch_size, tile, score_thr, wanted)
    if pictures is not source:
        found = _with_warning(found, pictures)
    return found if stream else list(found)


def known_classes(wanted: Collection[str], known: Collection[str]) -> list[str]:
    """Return the wanted classes.

    Raises:
        UserError: one is not known; its nearest neighbour is named, or else all that are.
    """
    if isinstance(wanted, str):
        wanted = [wanted]
    for name in wanted:
        if name not in known:
            close = get_close_matches(str(name), known, n=1, cutoff=0.6)
            advice = f'did you mean {close[0]!r}?' if close else f'it knows {", ".join(known)}'
            raise UserError(f'the model knows no class {name!r}; {advice}')
    return list(wanted)


def _predict(
    model: Detector,
    pictures: Pictures,
    batch_size: int,
    tile: int | None,
    score_thr: float,
    classes: Collection[str] | None,
) -> Generator[Prediction, None, None]:
    pipeline = inference_pipeline(model.cfg)
    with closing(iter(pictures)) as remaining:
        while batch := list(islice(remaining, batch_size)):
            images = [picture.image for picture in batch]
            if tile is None:
                samples = infer(model, images, pipeline)
            else:
                samples = [
                    infer_tiled(model, image, tile=tile, batch_size=batch_size, pipeline=pipeline)
                    for image in images
                ]
            for picture, sample in zip(batch, samples, strict=True):
                prediction = Prediction(
                    image=picture.image,
                    instances=sample.pred_instances,
                    classes=model.dataset_meta['classes'],
                    path=picture.path,
                    frame=picture.frame,
                    time=picture.time,
                    palette=model.dataset_meta.get('palette'),
                )
                yield prediction.filter(score_thr, classes)


def _with_warning(
    found: Generator[Prediction, None, None], pictures: Pictures
) -> Generator[Prediction, None, None]:
    yield from found
    for complaint in pictures.broken:
        print_log(f'left out: {complaint}', logger='current', level=logging.WARNING)
    for note in pictures.notes:
        print_log(note, logger='current')
