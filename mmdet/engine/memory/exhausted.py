"""Which errors say that there is no memory left: each library has its own way."""

import errno
import resource

import torch

from mmdet.errors import UserError

# Parts of messages: CUDA and its libraries, torch on the CPU, C++, NumPy, OpenCV. Where a loader's
# worker ran out of memory, its traceback is in the message.
_SAID = (
    'out of memory',
    'ALLOC_FAILED',
    "can't allocate memory",
    'Cannot allocate memory',
    'bad_alloc',
    'MemoryError',
    'Insufficient memory',
)
# oneDNN says this of whatever it cannot do.
_SAID_BY_ONEDNN = ('could not create a primitive', 'could not create a memory')


class BatchTooLargeError(UserError):
    """A batch took more memory than there is."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out.

    Examples:
        >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("shapes differ"))
        (True, False)
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    said = str(error)
    if not isinstance(error, UserError) and any(part in said for part in _SAID):
        return True
    return any(part in said for part in _SAID_BY_ONEDNN) and is_limited()


def is_limited() -> bool:
    """Return whether this process may take only so much of the machine's memory (`ulimit -v`)."""
    limits = (resource.RLIMIT_AS, resource.RLIMIT_DATA)
    return any(resource.getrlimit(each)[0] != resource.RLIM_INFINITY for each in limits)
