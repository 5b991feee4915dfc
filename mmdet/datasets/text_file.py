"""Text as the programs of any system write it."""

import codecs
from pathlib import Path

from mmdet.errors import UserError

_MARKS = (
    (codecs.BOM_UTF8, 'utf-8-sig'),
    (codecs.BOM_UTF16_LE, 'utf-16'),
    (codecs.BOM_UTF16_BE, 'utf-16'),
)


def read_text(path: str) -> str:
    r"""Return the text of a file: UTF-8, with or without a mark, or UTF-16 with one.

    What is no UTF-8 is read as Windows's Western code page, in which every byte is a letter. Line
    ends are `\n`.

    Raises:
        UserError: the file is missing or cannot be read.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f'{path} does not exist') from None
    except OSError as error:
        raise UserError(f'{path} cannot be read: {error.strerror or error}') from None
    return decoded(content).replace('\r\n', '\n').replace('\r', '\n')


def decoded(content: bytes) -> str:
    """Return the text that a file's bytes are; see `read_text`."""
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), 'utf-8')
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return content.decode('cp1252', errors='replace')
