"""Names of what is written, so that nothing overwrites another's."""

import os
import re
from pathlib import Path

from mmengine.logging import print_log

from mmdet.apis.prediction import Prediction

_FRAME_DIGITS = 6
_LONGEST = 200  # bytes of a part of a path: systems take 255, with its number and ending


class Names:
    """A name for each picture: its path below the source's folder, without the ending.

    What would have the name of another picture gets a number, which the log says: the two may lead
    to files with one ending.

    Args:
        root: the folder that the pictures are in, or below; of others only the file's name is kept.

    Examples:
        >>> names = Names('photos')
        >>> [names.of(path) for path in ('photos/b/c.jpg', 'elsewhere/d.jpg')]
        ['b/c', 'd']
        >>> names.of('rtsp://10.0.0.7:554/front')
        'rtsp_10.0.0.7_554_front'
    """

    def __init__(self, root: str = '') -> None:
        self.root = root
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()

    def of(self, path: str) -> str:
        """Return the name of a picture, video or stream; the same path has the same name."""
        if path not in self._names:
            first = name = self._wanted(path)
            number = 1
            while name.lower() in self._taken:  # some disks hold A and a for the same
                number += 1
                name = f'{first}_{number}'
            if number > 1:
                print_log(f'{first} is taken, so {name} is {path}', logger='current')
            self._taken.add(name.lower())
            self._names[path] = name
        return self._names[path]

    def of_picture(self, prediction: Prediction) -> str:
        """Return the name of a picture; frames have that of their video as a folder."""
        name = self.of(prediction.path)
        if prediction.frame is None:
            return name
        return f'{name}/{prediction.frame:0{_FRAME_DIGITS}d}'

    def _wanted(self, path: str) -> str:
        if '://' in path or not path:
            return as_file_name(path.replace('://', '_')) or 'picture'
        inside = os.path.relpath(path, self.root) if self.root else os.pardir
        if inside.startswith(os.pardir):
            inside = os.path.basename(path)
        return as_file_name(os.path.splitext(inside)[0], keep=os.sep)


class FlatNames(Names):
    """A name for each picture as mmdetection gives them: the file's own, of whatever folder.

    Examples:
        >>> names = FlatNames()
        >>> [names.of(path) for path in ('photos/b/my c.jpg', 'photos/d.jpg')]
        ['my c', 'd']
    """

    def _wanted(self, path: str) -> str:
        return _shortened(Path(path).stem)


def as_file_name(text: str, *, keep: str = '') -> str:
    """Return a text as a part of a path: letters, digits and `-_.` of any language stay.

    Args:
        text: may be of no such letter, which leaves nothing.
        keep: separates parts of which each leaves something, so that the path leads nowhere else.

    Examples:
        >>> as_file_name('traffic light/red')
        'traffic_light_red'
        >>> as_file_name('../(1)/!', keep='/')
        '_/1/_'
    """
    if keep:
        return keep.join(as_file_name(part) or '_' for part in text.split(keep))
    name = _shortened(re.sub(r'[^\w.-]+', '_', text).strip('_'))
    return name if name.strip('.') else ''


def _shortened(name: str) -> str:
    content = os.fsencode(name)
    return name if len(content) <= _LONGEST else content[:_LONGEST].decode(errors='ignore')
