"""Windows that show pictures: one of OpenCV, for predictions, and those of mmengine's visualizer.

The visualizer draws through matplotlib, which waits until its window is closed; frames of a camera
want one that goes on by itself.
"""

import math
import os
import sys

import cv2
import numpy as np

from mmdet.errors import UserError

_ENDS = (ord('q'), ord('Q'), 27)  # 27: Esc
_TITLE = 'mmdet-solo: space: go on, q: end'


class Window:
    """A window by OpenCV that shows one picture after the other.

    Args:
        wait_time: for how long each picture is shown, in seconds; 0 waits for a key. By default
            2, and a frame until the next one.

    Raises:
        UserError: no window can be opened here, or `wait_time` is below 0 or no number.
    """

    def __init__(self, wait_time: float | None = None) -> None:
        if wait_time is not None and not 0 <= wait_time < math.inf:
            raise UserError(f'wait_time is {wait_time}: it takes 0 or more seconds')
        # OpenCV's Qt speaks to X alone. Without it, it would end the process.
        if sys.platform == 'linux' and not os.environ.get('DISPLAY'):
            raise UserError(
                'no window can be opened: there is no display; leave --show out, and look at what '
                'is written'
            )
        try:
            cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error:
            raise UserError(
                'no window can be opened: this OpenCV has none; leave --show out, or '
                'pip uninstall opencv-python-headless and pip install opencv-python'
            ) from None
        self._wait_time = wait_time

    def show(self, image: np.ndarray, *, is_frame: bool) -> bool:
        """Show a (h, w, 3) BGR picture; return whether to go on.

        A key may say not to, or that the window has been closed.
        """
        wait_time = self._wait_time
        if wait_time is None:
            wait_time = 0.001 if is_frame else 2.0
        cv2.imshow(_TITLE, image)
        # OpenCV waits for ever for 0 ms.
        key = cv2.waitKey(math.ceil(wait_time * 1000)) & 0xFF
        return key not in _ENDS and self._is_open()

    def close(self) -> None:
        """Close the window, if its user has not."""
        if self._is_open():
            cv2.destroyWindow(_TITLE)

    def _is_open(self) -> bool:
        try:
            # -1 where it cannot be told.
            return cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) != 0
        except cv2.error:  # of Qt, where there is no window any more
            return False


def check_window() -> None:
    """Make sure that matplotlib, by which mmengine's visualizer shows pictures, can open a window.

    Raises:
        UserError: it cannot, for want of a display or of a toolkit for windows.
    """
    if why := why_no_window():
        raise UserError(
            f'show=True cannot open a window ({why}): it takes a display and a toolkit such as tk '
            'or PyQt; without one, have the pictures written to a folder'
        )


def why_no_window() -> str | None:
    """Return why matplotlib cannot open a window; None if it can.

    It chooses now what it draws with, if it has not.
    """
    # Importing these takes a second that only those need who look at windows.
    from matplotlib import pyplot
    from matplotlib.backends.registry import BackendFilter, backend_registry

    try:
        backend = pyplot.get_backend()
    except ImportError as error:
        return str(error)
    if backend.lower() in backend_registry.list_builtin(BackendFilter.NON_INTERACTIVE):
        return f'matplotlib draws with {backend}'
    return None
