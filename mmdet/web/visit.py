"""What the page answers, apart from gradio: words, the views of a session, files to save."""

import json
import logging
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

from mmengine.logging import print_log

from mmdet.apis.detector import Detector
from mmdet.visualization.image_file import write_image

from .download import coco_json, draw
from .session import Session, analyse
from .upload import Limits, UploadError, open_upload
from .view import preview, scene


def look_at(
    path: str,
    detectors: Mapping[str, Detector],
    limits: Limits,
    progress: Callable[[int, int | None], None],
) -> tuple[Session | None, str]:
    """Return what is found in a visitor's file, or None; and words about it, as HTML.

    Nothing is raised, and nothing of the server is said: a traceback goes to its log.
    """
    start = time.perf_counter()
    try:
        session = analyse(detectors, open_upload(path, limits), progress)
    except UploadError as error:
        return None, _wrong(str(error))
    except Exception:
        print_log(traceback.format_exc(), logger='current', level=logging.ERROR)
        return None, _wrong('Something went wrong with this file; the log of the server says what.')
    height, width = session.frames[0].found[0].image.shape[:2]
    frames = f'{len(session.frames)} frames of ' if len(session.frames) > 1 else ''
    seconds = time.perf_counter() - start
    said = f'{frames}{width} x {height} pixels in {seconds:.1f} s'
    print_log(f'the models ran once: {said}', logger='current')
    return session, ''.join(f'<p>{escape(each)}</p>' for each in (said, *session.notes))


def _wrong(words: str) -> str:
    return f'<p class="wrong" role="alert">{escape(words)}</p>'


def show(session: Session, least: float, classes: list[str], index: float) -> list[str]:
    """Return a frame with the instances that pass the filters, as HTML for each model.

    Args:
        session: of `look_at`.
        least: score that is shown.
        classes: that are shown.
        index: of the frame.
    """
    frame = session.frame(index)
    src = preview(frame.picture())
    return [
        scene(each.filter(least, classes), src, title=name, total=len(each))
        for name, each in zip(session.models, frame.found, strict=True)
    ]


def picture_file(
    model: int, session: Session, least: float, classes: list[str], index: float
) -> str:
    """Write the frame as the page shows it for one of the models; return the file's path."""
    frame = session.frame(index)
    drawn = draw(frame.picture(), frame.found[model].filter(least, classes))
    path = _file(session, model, '.jpg')
    write_image(Path(path), drawn)
    return path


def coco_file(model: int, session: Session, least: float, classes: list[str], _: float) -> str:
    """Write the instances that one of the models found, in all frames; return the file's path."""
    shown = [frame.found[model].filter(least, classes) for frame in session.frames]
    path = _file(session, model, '.json')
    Path(path).write_text(json.dumps(coco_json(shown, session.name)))
    return path


def _file(session: Session, model: int, suffix: str) -> str:
    """Return a path where gradio keeps what visitors see, and forgets it in time."""
    folder = tempfile.mkdtemp(dir=os.environ.get('GRADIO_TEMP_DIR'))
    name = f'{Path(session.name).stem}-{session.models[model].replace("/", "-")}'
    return os.path.join(folder, name + suffix)
