"""What a visitor sends, read within limits; what is wrong with it, in words for the visitor.

They name the file as the visitor does, never where it lies on the server. What a file is follows
from its content alone: from its name it could be a list of the server's own files.
"""

import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmdet.apis.sources.video_file import VideoFile
from mmdet.datasets.image_file import UnreadableError, read_image
from mmdet.errors import UserError


class UploadError(UserError):
    """A file that is not shown, and why; the visitor reads it."""


@dataclass(frozen=True)
class Limits:
    """How much one visitor may ask for.

    Attributes:
        megapixels: of a picture or a video's frame, in millions of pixels.
        frames: of a video; later ones are left out.
    """

    megapixels: float = 25
    frames: int = 100

    def check(self, width: int, height: int, name: str) -> None:
        """Refuse what has more pixels.

        Raises:
            UploadError: it has.
        """
        if width * height > self.megapixels * 1e6:
            raise UploadError(
                f'{name} has {width} x {height} pixels, {width * height / 1e6:.1f} million: more '
                f'than the {self.megapixels:g} million that are allowed here; make it smaller'
            )


DEFAULT_LIMITS = Limits()


@dataclass
class Upload:
    """An opened file.

    Attributes:
        name: as the visitor knows it.
        images: (h, w, 3) uint8 BGR: one, or the frames of a video.
        total: how many there are; None if nobody knows.
        notes: what the visitor should know about them, complete once they have been gone through.
    """

    name: str
    images: Iterator[np.ndarray]
    total: int | None = 1
    notes: list[str] = field(default_factory=list)


def open_upload(path: str | Path, limits: Limits) -> Upload:
    """Open a picture or a video.

    Sizes are looked at before anything is unpacked: a few bytes may stand for any number of pixels.

    Raises:
        UploadError: it is broken, something else, or larger than the limits.
    """
    name = Path(path).name
    size = _picture_size(path)
    if size is None:
        return _open_video(path, limits)
    limits.check(*size, name)
    try:
        image = read_image(str(path))
    except UnreadableError:
        raise UploadError(f'{name} is broken, or a picture of an unknown kind') from None
    number = cv2.imcount(str(path))
    notes = [f'only the first of {number} pictures in the file is shown'] if number > 1 else []
    return Upload(name, iter([image]), notes=notes)


def _picture_size(path: str | Path) -> tuple[int, int] | None:
    """Return the (width, height) that a picture's file states, or None if it is none."""
    with warnings.catch_warnings():
        # Pillow's own limit: it warns before it refuses, and ours is lower.
        warnings.simplefilter('ignore', Image.DecompressionBombWarning)
        try:
            with Image.open(path) as image:
                return image.size
        except Image.DecompressionBombError:
            raise UploadError(
                f'{Path(path).name} has far more pixels than are allowed here; make it smaller'
            ) from None
        except (OSError, SyntaxError, ValueError):  # each of its formats fails in its own way
            return None


def _open_video(path: str | Path, limits: Limits) -> Upload:
    name = Path(path).name
    # Other kinds that FFmpeg reads are texts that name more files, of the server's or elsewhere.
    if not _is_video(path):
        raise UploadError(
            f'{name} is broken, or neither a picture nor a video of a kind that is shown here: '
            'MP4, MOV, WebM, MKV, AVI or Ogg'
        )
    try:
        video = VideoFile(str(path))
    except UnreadableError:
        raise UploadError(f'{name} is a video that is broken or cut off') from None
    except UserError:  # PyAV is not installed
        raise UploadError(f'{name} is a video: only pictures are shown here') from None
    stream = video.container.streams.video[0]
    limits.check(stream.width, stream.height, name)
    total = min(video.total, limits.frames) if video.total else None
    upload = Upload(name, iter(()), total)
    upload.images = _frames(video, upload, limits)
    return upload


def _is_video(path: str | Path) -> bool:
    with open(path, 'rb') as file:
        head = file.read(12)
    is_avi = head[:4] == b'RIFF' and head[8:] == b'AVI '
    is_mp4 = head[4:8] in (b'ftyp', b'moov', b'mdat', b'wide', b'free', b'skip')
    return is_avi or is_mp4 or head.startswith((b'\x1aE\xdf\xa3', b'OggS'))  # Matroska, WebM


def _frames(video: VideoFile, upload: Upload, limits: Limits) -> Iterator[np.ndarray]:
    given = 0
    try:
        with closing(iter(video)) as pictures:
            for picture in pictures:
                if given == limits.frames:
                    upload.notes.append(f'only the first {given} frames are shown')
                    return
                height, width = picture.image.shape[:2]
                limits.check(width, height, upload.name)
                given += 1
                yield picture.image
    except UnreadableError:
        raise UploadError(f'{upload.name} is broken: none of its frames can be read') from None
    upload.notes += [each.replace(video.path, upload.name) for each in video.broken]
