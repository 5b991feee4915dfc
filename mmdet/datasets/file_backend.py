"""Where files come from: mmengine's storage backends, with a clear word where one is not there."""

from http.client import HTTPException
from urllib.request import urlopen

from mmengine.fileio import BaseStorageBackend, get_file_backend

from mmdet.errors import UserError

_TIMEOUT = 10.0  # seconds


def read_bytes(path: str, backend_args: dict | None) -> bytes:
    """Return what a file holds; see `file_backend` for the arguments and errors.

    Raises:
        OSError: the file is missing or cannot be read, or its server does not answer.
    """
    if backend_args is None and path.startswith(('http://', 'https://')):
        return _download(path)
    # pyrefly: ignore[bad-return]  # mmengine's abstract method has no annotation, and no body
    return file_backend(path, backend_args).get(path)


def file_backend(path: str, backend_args: dict | None) -> BaseStorageBackend:
    """Return what reads `path`, the same object for the same arguments.

    Args:
        path: of a file or folder; a prefix such as `s3://` chooses the backend.
        backend_args: `dict(backend=..., ...)` names the backend and its arguments instead.

    Raises:
        UserError: there is no such backend, its client is not installed, or an argument is wrong.
    """
    try:
        return get_file_backend(path, backend_args=backend_args, enable_singleton=True)
    except (KeyError, ImportError, TypeError) as error:
        raise UserError(
            f'nothing can read {path} with backend_args={backend_args} '
            f'({type(error).__name__}: {error}); local files need no backend_args'
        ) from None


def _download(address: str) -> bytes:
    """Do as mmengine's backend does, which would wait for an answer for ever."""
    try:
        with urlopen(address, timeout=_TIMEOUT) as answer:
            return answer.read()
    except HTTPException as error:  # it is cut off, say
        raise OSError(f'{type(error).__name__}: {error}') from None
