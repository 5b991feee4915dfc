"""Mistakes that a user can mend: one clear line and exit code 2 instead of a traceback."""

import errno
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from torch.utils.data import get_worker_info

# What the system may answer that a user can mend. Any other error of its may well be our own.
_SYSTEM_ERRORS = {
    errno.EACCES: 'permission denied; change it, or name another place',
    errno.EDQUOT: 'the disk quota is used up; make room, or name another place',
    errno.EIO: 'its disk fails (input/output error); name another place',
    errno.ENOTCONN: 'its file system is gone; bring it back, or name another place',
    errno.ESTALE: 'its file system is gone; bring it back, or name another place',
    errno.EEXIST: 'is a file where a folder is needed; name another place',
    errno.EISDIR: 'is a folder where a file is needed',
    errno.ENOSPC: 'no space is left on the disk; make room, or name another place',
    errno.ENOTDIR: 'goes through a file where a folder is needed',
    errno.EROFS: 'cannot be written, its file system is read-only; name another place',
}
_NOTE = 'UserError as JSON: '


class Remedy(NamedTuple):
    """A way out of a `UserError`, which Python code and a command line take in different words.

    Attributes:
        kind: `settings`, to change in the config, or `trust`, to be put into a file.
        value: the settings as `key=value`, or the file's path.
    """

    kind: Literal['settings', 'trust']
    value: str


_IN_PYTHON = dict(
    settings='{}',
    trust='mmdet.engine.checkpoint.read_checkpoint({!r}, trust=True)',
)
_ON_COMMAND_LINE = dict(
    settings='--cfg-options {}',
    trust='python -m mmdet convert {} OUT.pth --trust',
)


class UserError(Exception):
    """What is wrong and what to do about it; the last line says it all, others may help.

    A data loader's worker hands an exception on as its class and the text of its traceback, and
    the loader raises `UserError(message=text)` from it: by keyword, as the class has a `message`
    (`torch._utils.ExceptionWrapper`). An error that arises in a worker carries a note, which
    stands at the end of that text and holds what was said as it was.

    Args:
        said: what is wrong; a remedy completes the sentence.
        remedy: a way out that depends on how the package is used.
        message: the text of a worker's traceback, in place of the others.

    Attributes:
        message: `said`, also where it came through a traceback.
        remedy: see above.
    """

    message = 'a mistake that a user can mend'

    def __init__(
        self, said: str = '', remedy: Remedy | None = None, *, message: str | None = None
    ) -> None:
        if message is not None:
            said, remedy = _from_traceback(message)
        super().__init__(said, remedy)  # what a copy is built from
        self.message = said
        self.remedy = remedy
        if get_worker_info() is not None:
            self.add_note(_NOTE + json.dumps((said, remedy)))

    def __str__(self) -> str:
        return self._worded(_IN_PYTHON)

    def on_command_line(self) -> str:
        """Return the message with the remedy as a user of the tools takes it."""
        return self._worded(_ON_COMMAND_LINE)

    def _worded(self, words: dict[str, str]) -> str:
        if self.remedy is None:
            return self.message
        return f'{self.message}: {words[self.remedy.kind].format(self.remedy.value)}'


def missing_package(needed: str, extra: str) -> UserError:
    """Return the error that says how to install what an extra of this package brings.

    Args:
        needed: what needs which package.
        extra: its name in pyproject.toml.

    Examples:
        >>> print(missing_package("the web page needs gradio", "demo"))
        the web page needs gradio, which is not installed: pip install 'mmdet-solo[demo]'
    """
    return UserError(f"{needed}, which is not installed: pip install 'mmdet-solo[{extra}]'")


def _from_traceback(text: str) -> tuple[str, Remedy | None]:
    notes = [line for line in text.splitlines() if line.startswith(_NOTE)]
    if not notes:
        return text, None
    said, remedy = json.loads(notes[-1].removeprefix(_NOTE))
    return said, remedy and Remedy(*remedy)


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Turn what a user can mend into one line on stderr, `error: ...`, and exit code 2.

    That is a `UserError`, whose first lines stand before that line, or an error of the file
    system, such as a full disk, raised in the block. Ctrl-C ends with exit code 130, as in a shell.
    """
    try:
        yield
    except UserError as error:
        _exit(error.on_command_line(), code=2)
    except OSError as error:
        if error.errno not in _SYSTEM_ERRORS:
            raise
        place = '' if error.filename is None else f'{error.filename}: '
        _exit(f'{place}{_SYSTEM_ERRORS[error.errno]}', code=2)
    except KeyboardInterrupt:
        _exit('interrupted', code=130)
    except Exception as error:
        # What Ctrl-C met may have turned it into an error of its own, as mmengine's Config does.
        if not _arose_from(error, KeyboardInterrupt):
            raise
        _exit('interrupted', code=130)


def _arose_from(error: BaseException | None, kind: type[BaseException]) -> bool:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error is not None


def _exit(message: str, *, code: int) -> None:
    *help_lines, last = message.strip().splitlines()
    print(*help_lines, f'error: {last}', sep='\n', file=sys.stderr, flush=True)
    sys.exit(code)
