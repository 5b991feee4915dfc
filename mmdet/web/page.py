"""The page itself, in gradio: its parts, and what happens when they are used.

The models run once, when a file arrives. Whatever is moved afterwards filters what is kept of it.
"""

import json
import logging
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import cv2
from mmengine.logging import print_log

from mmdet.apis.detector import Detector
from mmdet.errors import UserError

from .download import coco_json, draw
from .session import Session, analyse
from .style import LIGHT_UP, SAVE
from .upload import DEFAULT_LIMITS, Limits, UploadError, open_upload
from .view import preview, scene

if TYPE_CHECKING:
    import gradio

_KEPT = 3600  # seconds after which an unused session and its files are forgotten


def import_gradio() -> ModuleType:
    """Return gradio, told to send nothing about its use to anyone.

    Raises:
        UserError: it is not installed.
    """
    os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
    try:
        import gradio
    except ImportError:
        raise UserError(
            "the web page needs gradio, which is not installed: pip install 'mmdet-solo[demo]'"
        ) from None
    return gradio


def build_page(
    detectors: Mapping[str, Detector],
    *,
    limits: Limits = DEFAULT_LIMITS,
    score_thr: float = 0.3,
    max_queue: int = 8,
) -> 'gradio.Blocks':
    """Return the page that shows what these models find, side by side.

    Args:
        detectors: by the names under which they are shown.
        limits: of what a visitor may send.
        score_thr: where the slider stands at first.
        max_queue: how many files may wait; one is worked on at a time.

    Raises:
        UserError: gradio is not installed.
    """
    gr = import_gradio()

    # gradio shows a bar where it finds a default of this kind.
    def receive(path: str | None, progress: 'gradio.Progress' = gr.Progress()) -> tuple:  # noqa: B008
        session, status = None, ''
        if path is not None:
            session, status = look_at(
                path, detectors, limits, lambda done, total: progress((done, total), unit='frames')
            )
        classes = session.classes() if session else []
        last = len(session.frames) - 1 if session else 0
        return (
            session,
            status,
            gr.CheckboxGroup(choices=classes, value=classes, visible=bool(classes)),
            gr.Slider(maximum=max(1, last), value=0, visible=last > 0),
            *[gr.Row(visible=session is not None)] * len(detectors),
        )

    def show(session: Session | None, least: float, classes: list[str], index: int) -> list[str]:
        if session is None:
            return [''] * len(detectors)
        frame = session.frame(index)
        src = preview(frame.picture())
        return [
            scene(each.filter(least, classes), src, title=name, total=len(each))
            for name, each in zip(session.models, frame.found, strict=True)
        ]

    with gr.Blocks(
        title='Instances', analytics_enabled=False, delete_cache=(_KEPT // 4, _KEPT)
    ) as page:
        session = gr.State(time_to_live=_KEPT)
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                upload = gr.File(
                    label='A picture or a short video', file_types=['image', 'video'], height=150
                )
                status = gr.HTML(elem_classes='status')
                least = gr.Slider(0, 1, score_thr, step=0.01, label='Lowest score')
                classes = gr.CheckboxGroup([], label='Classes', visible=False, show_select_all=True)
                index = gr.Slider(0, 1, 0, step=1, label='Frame', visible=False)
            filters = [session, least, classes, index]
            views: list[gradio.HTML] = []
            rows: list[gradio.Row] = []
            with gr.Column(scale=4, min_width=320), gr.Row():
                for model in range(len(detectors)):
                    with gr.Column(min_width=320):
                        views.append(gr.HTML(elem_classes='view', js_on_load=LIGHT_UP))
                        with gr.Row(visible=False, elem_classes='saves') as row:
                            _add_downloads(gr, model, filters)
                        rows.append(row)
        gr.on(
            [upload.upload, upload.clear],
            receive,
            upload,
            [session, status, classes, index, *rows],
            concurrency_limit=1,
            api_visibility='private',
            show_progress_on=status,
        ).then(show, filters, views, queue=False, api_visibility='private')
        gr.on(
            [least.input, classes.input, index.input],
            show,
            filters,
            views,
            queue=False,
            trigger_mode='always_last',
            show_progress='hidden',
            api_visibility='private',
        )
    return page.queue(max_size=max_queue, api_open=False)


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


def _add_downloads(gr: ModuleType, model: int, filters: list) -> None:
    """Two buttons; each makes its file when it is pressed, and has the browser save it."""

    def checked(make: Callable[..., str], model: int) -> Callable[..., str]:
        def made(session: Session | None, *filters: object) -> str:
            if session is None:
                raise gr.Error('This has been here for too long: drop the file once more')
            return make(model, session, *filters)

        return made

    for what, make in (('picture', picture_file), ('COCO JSON', coco_file)):
        # It is the link that is followed once the file is there.
        link = gr.DownloadButton(visible='hidden', elem_id=f'save-{make.__name__}-{model}')
        gr.Button(f'Save {what}', size='sm').click(
            checked(make, model),
            filters,
            link,
            queue=False,
            show_progress='hidden',
            api_visibility='private',
        ).then(None, js=SAVE.replace('ID', str(link.elem_id)), api_visibility='private')


def picture_file(model: int, session: Session, least: float, classes: list[str], index: int) -> str:
    """Write the frame as the page shows it for one of the models; return the file's path."""
    frame = session.frame(index)
    drawn = draw(frame.picture(), frame.found[model].filter(least, classes))
    path = _file(session, model, '.jpg')
    cv2.imwrite(path, drawn)
    return path


def coco_file(model: int, session: Session, least: float, classes: list[str], _: int) -> str:
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
