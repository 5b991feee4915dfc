"""Mistakes that a user can mend: one clear line and exit code 2 instead of a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """What is wrong and what to do about it; the last line says it all, others may help."""


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Turn a `UserError` raised in the block into its message on stderr and exit code 2."""
    try:
        yield
    except UserError as error:
        # A data loader's worker re-raises an exception with its own traceback as the message;
        # the user needs what follows the class name in that traceback's last entry.
        message = str(error).rsplit(f'{UserError.__module__}.{UserError.__qualname__}: ')[-1]
        *help_lines, last = message.strip().splitlines()
        print(*help_lines, f'error: {last}', sep='\n', file=sys.stderr, flush=True)
        sys.exit(2)
