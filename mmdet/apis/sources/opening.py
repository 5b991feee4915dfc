"""From what a user names to pictures."""

from collections.abc import Iterable, Mapping
from functools import partial
from glob import has_magic
from os.path import abspath, commonpath, dirname, exists, isdir, join, realpath
from pathlib import Path
from typing import Union
from urllib.parse import urlsplit

import cv2
import numpy as np

from mmdet.datasets.image_file import IMAGE_SUFFIXES, UnreadableError
from mmdet.errors import UserError

from .camera import Camera
from .pattern import matching
from .picture import Array, ImageFile, Pictures
from .several import Several
from .stream import Stream
from .video_file import VIDEO_SUFFIXES, VideoFile

# A string in quotes cannot be a part of `X | Y` when this is run.
Source = Union[str, Path, int, np.ndarray, Pictures, Iterable['Source']]  # noqa: UP007

_LIST = '.txt'


def open_source(source: Source, *, strict: bool = False) -> Pictures:
    """Open any kind of source.

    Args:
        source: one of

            - the path of an image, of a video, or of a list, a `.txt` file with a path a line
              (from the list's folder or the working directory; `#` begins a comment);
            - a folder, of which the images and videos are taken in order of their names, but not
              those of its sub-folders; or a pattern such as `photos/**/*.jpg`, where `**` stands
              for any sub-folders;
            - the number of a camera, also as text, or an address: `rtsp://`, `rtmp://`, `http://`
              and others; one of `http` with an image's suffix is an image;
            - a (h, w, 3) uint8 BGR array;
            - a list or any iterable of these but cameras and streams, or an opened source.
        strict: a broken picture or frame among several raises; otherwise it is left out and
            noted in `broken`. What is named alone always raises.

    Raises:
        UserError: the source does not exist or holds no picture; or cannot be opened, or is
            nothing of these.
    """
    if isinstance(source, bool) or source is None:
        raise UserError(f'{source} is no source: name a picture, folder, video or camera')
    if isinstance(source, np.ndarray):
        return Array(source)
    if isinstance(source, int):
        return Camera(source)
    if isinstance(source, str | Path):
        return _named(str(source), strict=strict)
    if isinstance(source, Pictures):
        return source
    # What else can be made an array, such as a tensor or Pillow's image, may be RGB and of floats.
    # Bytes would be cameras' numbers.
    is_data = hasattr(source, '__array__') or isinstance(source, bytes | bytearray | Mapping)
    if not isinstance(source, Iterable) or is_data:
        raise UserError(
            f'a {type(source).__name__} is no source: name a picture, folder, video or camera, or '
            'give a (height, width, 3) uint8 array in BGR order'
        )
    items = source if isinstance(source, list | tuple) else iter(source)
    if not items:
        raise UserError('the list of sources is empty')
    return Several(items, open_source, name='the list', strict=strict)


def _named(name: str, *, strict: bool, lists: tuple[str, ...] = ()) -> Pictures:
    """Open what has a name; `lists` are the files that led to it, each of which names the next."""
    if not name:
        raise UserError('the source has no name: name a picture, folder, video or camera')
    if '://' in name:
        return _at_address(name, strict=strict)
    try:
        path = Path(name).expanduser()
        is_folder, is_there = path.is_dir(), path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # too long, of no such user, has a NUL
        raise UnreadableError(f'{name!r} is no path: {error}') from None
    if is_folder:
        return _in_folder(path, strict=strict)
    if is_there:
        return _in_file(path, strict=strict, lists=lists)
    if name.isdecimal():
        return Camera(int(name))
    if has_magic(name):
        found = sorted(
            name for name in matching(str(path)) if _is_picture(name) and not isdir(name)
        )
        if not found:
            raise UserError(
                f'no image or video matches {name}; within quotes, ** stands for any sub-folders'
            )
        return Several(found, open_source, name=name, strict=strict, root=_root(found))
    raise UnreadableError(_not_there(name, path))


def _at_address(address: str, *, strict: bool) -> Pictures:
    try:
        path = urlsplit(address).path
    except ValueError as error:
        raise UserError(f'{address} is no address: {error}') from None
    is_image = address.startswith('http') and path.lower().endswith(IMAGE_SUFFIXES)
    return ImageFile(address) if is_image else Stream(address, strict=strict)


def _not_there(name: str, path: Path) -> str:
    if path.is_symlink():
        return f'{name} is a link to {path.readlink()}, which does not exist'
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    if parent == path.absolute().parent:
        return f'{name} does not exist: name an image, video, folder, pattern, address or camera'
    return f'{name} does not exist, nor does anything below {parent} of that name'


def _is_picture(name: str) -> bool:
    return name.lower().endswith((*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))


def _in_folder(folder: Path, *, strict: bool) -> Pictures:
    found = sorted(
        entry
        for entry in folder.iterdir()
        # A link to nothing is a picture that is missing.
        if _is_picture(entry.name) and not entry.name.startswith('.') and not entry.is_dir()
    )
    if found:
        return Several(found, open_source, name=str(folder), strict=strict, root=str(folder))
    deeper = any(_is_picture(entry.name) for entry in folder.rglob('*'))
    remedy = (
        f"those of its sub-folders are named by '{folder}/**'"
        if deeper
        else f'an image ends in one of {", ".join(IMAGE_SUFFIXES)}'
    )
    raise UserError(f'folder {folder} has no images or videos; {remedy}')


def _in_file(path: Path, *, strict: bool, lists: tuple[str, ...]) -> Pictures:
    suffix = path.suffix.lower()
    if suffix == _LIST:
        return _in_list(path, strict=strict, lists=lists)
    if suffix in VIDEO_SUFFIXES or not (suffix in IMAGE_SUFFIXES or cv2.haveImageReader(str(path))):
        return VideoFile(str(path), strict=strict)
    return ImageFile(str(path))


def _in_list(path: Path, *, strict: bool, lists: tuple[str, ...]) -> Pictures:
    lists = (*lists, realpath(path))
    if lists[-1] in lists[:-1]:
        raise UserError(f'list {path} is named by itself, or by a list that it names')
    try:
        lines = path.read_text(encoding='utf-8-sig').split('\n')
    except UnicodeDecodeError:
        raise UserError(
            f'{path} is no list: it should be text as UTF-8, with a path a line'
        ) from None
    named = [line.strip() for line in lines]
    named = [line for line in named if line and not line.startswith('#')]
    if not named:
        raise UserError(f'list {path} names nothing: put the path of a picture in each line')
    items = [_beside(path, line) for line in named]
    opened = partial(_named, lists=lists)
    return Several(items, opened, name=str(path), strict=strict, root=_root(items))


def _root(paths: list[str]) -> str:
    """Return the folder that all of these are in or below."""
    files = [path for path in paths if '://' not in path]
    return commonpath(map(dirname, map(abspath, files))) if files else ''


def _beside(list_file: Path, name: str) -> str:
    """Return a listed path from where the list is, if something is there."""
    beside = join(list_file.parent, name)
    return beside if exists(beside) else name
