"""Pictures and videos with the instances drawn into them."""

import os
from pathlib import Path

from mmdet.apis.prediction import Prediction
from mmdet.errors import UserError
from mmdet.visualization.image_file import picture_suffix, write_image

from .names import Names
from .video import VideoWriter


class Drawn:
    """Draws pictures into files of their names, and the frames of a video into a video.

    Args:
        folder: where they are written; those of sub-folders into sub-folders.
        names: of all that is written.
        video: the file for a video instead of one of its name.
    """

    def __init__(self, folder: Path, names: Names, *, video: Path | None = None) -> None:
        self.folder = folder
        self.names = names
        self.video = video
        self.places: list[str] = []
        self.notes: list[str] = []
        self._first: str | None = None  # picture
        self._writer: VideoWriter | None = None
        self._of = ''

    def add(self, prediction: Prediction) -> None:
        """Draw a picture, or a frame into the video that it belongs to."""
        if prediction.frame is not None:
            self._writer_of(prediction.path).write(prediction.plot(), prediction.time or 0.0)
            return
        self.close()
        name = f'{self.names.of(prediction.path)}{picture_suffix(prediction.path)}'
        _keep_apart(self.folder / name, prediction.path)
        write_image(self.folder / name, prediction.plot())
        self._note_picture(str(self.folder / name))

    def close(self) -> None:
        """Finish the video that is being written."""
        writer, self._writer = self._writer, None
        if writer is not None:
            self.notes += writer.notes
            writer.close()

    def _writer_of(self, path: str) -> VideoWriter:
        if self._writer is None or self._of != path:
            self.close()
            file = self.video or self.folder / f'{self.names.of(path)}.mp4'
            _keep_apart(file, path)
            self._writer = VideoWriter(file, sound_of=path if os.path.isfile(path) else None)
            self._of = path
            self._note_place(str(file))
        return self._writer

    def _note_picture(self, file: str) -> None:
        """One picture is named itself, several by their folder."""
        if self._first is None:
            self._first = file
            self.places.append(file)
        elif file != self._first and self._first in self.places:
            self.places[self.places.index(self._first)] = str(self.folder)

    def _note_place(self, place: str) -> None:
        if place not in self.places:
            self.places.append(place)


def _keep_apart(file: Path, source: str) -> None:
    """Make sure that a picture or video is not written over the one that it is made from."""
    if os.path.realpath(file) == os.path.realpath(source):
        raise UserError(f'{source} would be overwritten: name another folder or file to write to')
