"""Whether pictures can be shown in a window."""

from mmdet.errors import UserError


def check_window() -> None:
    """Make sure that matplotlib, by which mmengine shows pictures, can open a window.

    Raises:
        UserError: it cannot, for want of a display or of a toolkit for windows.
    """
    from matplotlib.backends.registry import BackendFilter, backend_registry

    backend = _backend()
    if backend.lower() in backend_registry.list_builtin(BackendFilter.NON_INTERACTIVE):
        raise UserError(_message(f'matplotlib draws with {backend}'))


def _backend() -> str:
    """Return the name of what matplotlib draws with; it chooses now, if it has not."""
    # Importing this takes a second that only those need who look at windows.
    from matplotlib import pyplot

    try:
        return pyplot.get_backend()
    except ImportError as error:
        raise UserError(_message(str(error))) from None


def _message(why: str) -> str:
    return (
        f'show=True cannot open a window ({why}): it takes a display and a toolkit such as tk or '
        'PyQt; without one, have the pictures written to a folder'
    )
