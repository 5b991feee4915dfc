"""What an accumulation of gradients has gathered so far, of every process."""

from collections.abc import Iterator

from mmengine.dist import all_gather_object, get_rank, get_world_size
from torch import Tensor
from torch.optim import Optimizer

KEY = 'partial_gradients'
Gradients = list[list[Tensor | None]]  # by process, then by parameter in the optimizer's order


def gather(optimizer: Optimizer) -> Gradients:
    """Return the gradients of all processes, on the CPU; all of them are to call it.

    Processes do not exchange gradients before the last step of an accumulation: until then each
    has its own.
    """
    own = [None if p.grad is None else p.grad.detach().cpu() for p in _parameters(optimizer)]
    return all_gather_object(own)


def put_back(optimizer: Optimizer, gradients: Gradients) -> bool:
    """Give the parameters the gradients that this process had.

    Returns:
        Whether there were any for it: there are none if the number of processes is another.
    """
    if len(gradients) != get_world_size():
        return False
    for parameter, gradient in zip(_parameters(optimizer), gradients[get_rank()], strict=True):
        # The checkpoint is the same in each process, and each adds to its gradients in place.
        parameter.grad = None if gradient is None else gradient.to(parameter).clone()
    return True


def _parameters(optimizer: Optimizer) -> Iterator[Tensor]:
    for group in optimizer.param_groups:
        yield from group['params']
