"""The page itself, in gradio: its parts, and what happens when they are used.

The models run once, when a file arrives. Whatever is moved afterwards filters what is kept of it.
"""

import os
from collections.abc import Callable, Mapping
from html import escape
from types import ModuleType
from typing import TYPE_CHECKING

from mmdet.apis.detector import Detector
from mmdet.errors import missing_package

from .session import Session
from .style import LIGHT_UP, SAVE
from .upload import DEFAULT_LIMITS, Limits
from .visit import coco_file, look_at, picture_file, show

if TYPE_CHECKING:
    import gradio

_KEPT = 3600  # seconds after which an unused session and its files are forgotten
_SESSIONS = 50  # are kept, the newest: a video's frames may take some 100 MB


def import_gradio() -> ModuleType:
    """Return gradio, told to send nothing about its use to anyone.

    Raises:
        UserError: it is not installed.
    """
    os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
    try:
        import gradio
    except ImportError:
        raise missing_package('the web page needs gradio', 'demo') from None
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
    def receive(path: str, progress: 'gradio.Progress' = gr.Progress()) -> tuple:  # noqa: B008
        return arranged(
            *look_at(
                path, detectors, limits, lambda done, total: progress((done, total), unit='frames')
            )
        )

    def arranged(session: Session | None = None, status: str = '') -> tuple:
        classes = session.classes() if session else []
        last = len(session.frames) - 1 if session else 0
        return (
            session,
            status,
            gr.CheckboxGroup(choices=classes, value=classes, visible=bool(classes)),
            gr.Slider(maximum=max(1, last), value=0, visible=last > 0),
            *[gr.Row(visible=session is not None)] * len(detectors),
        )

    def shown(session: Session | None, least: float, classes: list[str], index: float) -> list[str]:
        if session is None:
            return nothing
        return show(session, least, classes, index)

    nothing = [f'<h3>{escape(name)}</h3>' for name in detectors]
    with gr.Blocks(
        title='Instances', analytics_enabled=False, delete_cache=(_KEPT // 4, _KEPT)
    ) as page:
        session = gr.State(time_to_live=_KEPT)
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                upload = gr.File(
                    label='A picture or a short video', file_types=['image', 'video'], height=180
                )
                status = gr.HTML(elem_classes='status')
                least = gr.Slider(0, 1, score_thr, step=0.01, label='Lowest score')
                classes = gr.CheckboxGroup([], label='Classes', visible=False, show_select_all=True)
                index = gr.Slider(0, 1, 0, step=1, label='Frame', visible=False)
            filters = [session, least, classes, index]
            views: list[gradio.HTML] = []
            rows: list[gradio.Row] = []
            with gr.Column(scale=4, min_width=320), gr.Row():
                for model, name in enumerate(nothing):
                    with gr.Column(min_width=320):
                        views.append(gr.HTML(name, elem_classes='view', js_on_load=LIGHT_UP))
                        with gr.Row(visible=False, elem_classes='saves') as row:
                            _add_downloads(gr, model, filters, status)
                        rows.append(row)
        parts = [session, status, classes, index, *rows]
        received = upload.upload(
            receive,
            upload,
            parts,
            concurrency_limit=1,
            show_progress_on=status,
            api_visibility='private',
        )
        cleared = upload.clear(
            arranged, None, parts, queue=False, cancels=received, api_visibility='private'
        )
        for event in (received.then, cleared.then, least.input, classes.input, index.input):
            event(
                shown,
                filters,
                views,
                queue=False,
                trigger_mode='always_last',  # by default one is forgotten that comes too early
                show_progress='hidden',
                api_visibility='private',
            )
    page.state_session_capacity = _SESSIONS  # of gradio's own server an argument
    return page.queue(max_size=max_queue, api_open=False)


def _add_downloads(gr: ModuleType, model: int, filters: list, status: 'gradio.HTML') -> None:
    """Two buttons; each makes its file when it is pressed, and has the browser save it."""

    def checked(make: Callable[..., str], model: int) -> Callable[..., str]:
        def made(session: Session | None, *filters: object) -> str:
            if session is None:
                raise gr.Error('This has been here for too long: drop the file once more')
            return make(model, session, *filters)

        return made

    for what, make in (('picture', picture_file), ('COCO JSON', coco_file)):
        # It is the link that is followed once the file is there. The page's style hides it, since
        # gradio would show it again with the row.
        link = gr.DownloadButton(elem_id=f'save-{make.__name__}-{model}')
        gr.Button(f'Save {what}', size='sm').click(
            checked(make, model),
            filters,
            link,
            queue=False,
            show_progress_on=status,
            api_visibility='private',
        ).then(None, js=SAVE.replace('ID', str(link.elem_id)), api_visibility='private')
