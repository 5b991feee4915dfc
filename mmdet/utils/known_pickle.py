"""Unpickling what a table knows, and nothing else.

A pickle names functions and classes, says what to call them with, and may set attributes of all
that it has named. So a file gets no function for a name, and no class that is used elsewhere, but
a class made for this, which does one thing.
"""

import pickle
from collections.abc import Mapping
from typing import ClassVar


class ForbiddenNameError(pickle.UnpicklingError):
    """A pickle asks for what is not in the table; the text is the name."""


class StandIn:
    """What a file gets for a name.

    With a `__setstate__` it is not open to what a pickle may set on objects, and on classes.
    """

    def __setstate__(self, state: tuple) -> None:
        raise pickle.UnpicklingError('it sets the state of what has none')


class EncodedBytes(StandIn):
    """Bytes, which before protocol 3 are written as text: stands for `_codecs.encode`."""

    def __new__(cls, text: str, codec: str) -> bytes:
        if codec != 'latin1':
            raise pickle.UnpicklingError(f'it asks for the codec {codec!r:.100}')
        return text.encode('latin1')


class KnownUnpickler(pickle.Unpickler):
    """An unpickler that imports nothing.

    Attributes:
        table: what stands for each name.

    Raises:
        ForbiddenNameError: the file asks for another name.
        Exception: it is damaged, which may break the reader anywhere.
    """

    table: ClassVar[Mapping[str, type]]

    def find_class(self, module: str, name: str) -> type:
        """Return what stands for a name."""
        asked_for = f'{module}.{name}'
        if asked_for not in self.table:
            raise ForbiddenNameError(asked_for)
        return self.table[asked_for]
