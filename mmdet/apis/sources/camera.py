"""A camera of this computer, by OpenCV, which knows those of every system."""

import time
from collections.abc import Generator, Iterator
from glob import glob

import cv2

from mmdet.errors import UserError

from .newest import Newest
from .picture import Picture


class Camera:
    """The frames of a camera; such as come while another is looked at are left out.

    Args:
        number: of the camera, from 0.

    Raises:
        UserError: there is no such camera, or another program uses it.
    """

    live: bool = True
    total: int | None = None

    def __init__(self, number: int) -> None:
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it is said below
        try:
            self.camera = cv2.VideoCapture(number)
        finally:
            cv2.utils.logging.setLogLevel(level)
        if not self.camera.isOpened():
            known = ', '.join(sorted(glob('/dev/video*')))
            raise UserError(
                f'camera {number} cannot be opened: '
                + (
                    f'there are {known}, which another program may use'
                    if known
                    else 'none is there'
                )
                + '; name another number, a video or an address'
            )
        self.path = f'camera {number}'
        self.root = ''
        self.broken: list[str] = []
        self.notes: list[str] = []

    def __iter__(self) -> Generator[Picture, None, None]:
        """Yield frames until the camera is gone."""
        newest = Newest(self._pictures())
        try:
            yield from newest
        finally:
            newest.close()
            self.notes += newest.notes(self.path)

    def _pictures(self) -> Iterator[Picture]:
        number, begin = 0, time.monotonic()
        try:
            while True:
                is_there, image = self.camera.read()
                if not is_there:
                    self.broken.append(f'{self.path} ended after {number} frames: is it unplugged?')
                    return
                yield Picture(image, self.path, number, time.monotonic() - begin)
                number += 1
        finally:
            self.camera.release()
