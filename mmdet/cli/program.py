"""How a command becomes a program, whichever way it was called."""

from collections.abc import Callable

from torch.distributed.elastic.multiprocessing.errors import record

from mmdet.engine.processes import leaving_at_the_end
from mmdet.errors import exit_on_user_error


def run(main: Callable[[], object]) -> None:
    """Run a command on this process's command line; a user's mistake is one line and exit code 2.

    Where torchrun started the process, it learns of what it failed.
    """
    with exit_on_user_error(), leaving_at_the_end():
        record(main)()
