"""The server of the page: this machine only unless told otherwise, and nothing from elsewhere."""

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from mmdet.apis.detector import Detector
from mmdet.errors import UserError

from .guard import names_only_uploads
from .page import build_page, import_gradio
from .style import CSS
from .upload import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

# What the browser may load, and from where: whatever gradio's page or a model's name asks for,
# nothing leaves for another machine. gradio's own scripts are compiled in the page.
_POLICY = '; '.join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "frame-ancestors 'self'",
        "form-action 'self'",
        "base-uri 'self'",
    )
)


def serve(
    detectors: Mapping[str, Detector],
    *,
    host: str = '127.0.0.1',
    port: int = 7860,
    limits: Limits = DEFAULT_LIMITS,
    score_thr: float = 0.3,
    max_upload_mb: int = 20,
    max_queue: int = 8,
) -> None:
    """Serve the page until Ctrl-C or SIGTERM, from the main thread.

    What visitors send lies in a temporary folder of this process, which is removed with it.

    Args:
        detectors: as in `build_page`.
        host: the address to listen at; `0.0.0.0` is every one of this machine.
        port: 0 takes a free one.
        limits: as in `build_page`.
        score_thr: as in `build_page`.
        max_upload_mb: size of a file that is accepted, in megabytes.
        max_queue: as in `build_page`.

    Raises:
        UserError: gradio is not installed, or host and port cannot be listened at.
    """
    gr = import_gradio()
    import uvicorn
    from fastapi import FastAPI
    from starlette.responses import PlainTextResponse

    listener = _listen(host, port)
    # By itself it would leave the folder with the visitors' files behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix='mmdet-web-') as folder:
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

        @app.middleware('http')
        async def only_from_here(
            request: 'Request', call_next: 'Callable[[Request], Awaitable[Response]]'
        ) -> 'Response':
            if not await names_only_uploads(request, folder):
                return PlainTextResponse('only what was uploaded is looked at', 403)
            response = await call_next(request)
            response.headers['Content-Security-Policy'] = _POLICY
            response.headers['Referrer-Policy'] = 'no-referrer'
            return response

        os.environ['GRADIO_TEMP_DIR'] = folder  # read by each part of the page when it is made
        page = build_page(detectors, limits=limits, score_thr=score_thr, max_queue=max_queue)
        gr.mount_gradio_app(
            app,
            page,
            '/',
            footer_links=[],
            run_history=False,
            show_error=False,
            max_file_size=f'{max_upload_mb}mb',
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            enable_monitoring=False,
            theme=gr.themes.Soft(
                font=['system-ui', 'sans-serif'], font_mono=['ui-monospace', 'monospace']
            ),
            css=CSS,
        )
        shown, number = listener.getsockname()[:2]
        print(f'the page is at http://{shown}:{number}/ (Ctrl-C ends it)', flush=True)
        # An open page keeps a connection, which would be waited for.
        config = uvicorn.Config(app, log_level='warning', timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        server.run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        raise UserError(
            f'cannot listen at --host {host} --port {port} ({error}): name another, or --port 0 '
            'for any that is free'
        ) from None
    return listener
