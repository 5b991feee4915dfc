"""No compiled kernel is trusted before it was seen to be right on the machine at hand.

The first use of an op on a kind of device, in each process, runs its kernel and its reference on a
small fixed input, forward and backward. Where they differ, or the kernel raises, a warning says so
and the reference runs from then on. That takes milliseconds; `MMDET_TRUST_KERNELS=1` leaves it
out.
"""

import logging
import os
import threading
from collections.abc import Callable

import torch
from mmengine.logging import print_log
from torch import Tensor

from ._extension import has_kernel

Check = Callable[[torch.device], None]


class FirstUse:
    """Which kernels are right, as found out when they are first asked for.

    Args:
        checks: for each op, what raises where its kernel on a device is not right.
    """

    def __init__(self, checks: dict[str, Check]) -> None:
        self._checks = checks
        self._verdicts: dict[tuple[str, str], bool] = {}
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._forget_lock)

    def is_right(self, op: str, device: torch.device) -> bool:
        """Say whether an op's kernel is right on a kind of device; warn once where it is not."""
        case = op, device.type
        if case not in self._verdicts:
            with self._lock:
                if case not in self._verdicts:
                    self._verdicts[case] = self._check(op, device)
        return self._verdicts[case]

    def _forget_lock(self) -> None:
        """In a forked process, where the thread that held it is gone."""
        self._lock = threading.Lock()

    def _check(self, op: str, device: torch.device) -> bool:
        reasons = []

        def run() -> None:
            try:
                self._checks[op](device)
            except Exception as error:  # a kernel fails in its own way
                reasons.append(f'{type(error).__name__}: {" ".join(str(error).split())[:300]}')

        # A new thread has none of this one's modes: autocast, inference, no gradients, or tracing,
        # under which tensors are fake and show nothing.
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if reasons:
            print_log(
                f'The compiled kernel of {op} for {device.type} is not used, since on this machine '
                f'it does not give what its reference gives. The reference runs instead, slower. '
                f'({reasons[0]})',
                logger='current',
                level=logging.WARNING,
            )
        return not reasons


_CHECKS: dict[str, Check] = {}
_FIRST_USE = FirstUse(_CHECKS)


def checks_kernel(op: str) -> Callable[[Check], Check]:
    """Register what raises where an op's kernel on a device does not give what it should."""

    def register(check: Check) -> Check:
        _CHECKS[op] = check
        return check

    return register


def may_use_kernel(op: str, tensor: Tensor) -> bool:
    """Say whether an op has a compiled kernel for the device of a tensor, and it is right."""
    return has_kernel(op, tensor) and _is_trusted(op, tensor.device)


# A compiler asks while it traces, and takes the answer for the compiled code's whole life.
@torch.compiler.assume_constant_result
def _is_trusted(op: str, device: torch.device) -> bool:
    if os.environ.get('MMDET_TRUST_KERNELS', '0') not in ('', '0'):
        return True
    return _FIRST_USE.is_right(op, device)


def assert_same_loss(
    kernel: Callable[[Tensor], Tensor], reference: Callable[[Tensor], Tensor], predictions: Tensor
) -> None:
    """Raise where two losses of some predictions differ, or their gradients for any weights."""
    found, wanted = (predictions.detach().clone().requires_grad_() for _ in range(2))
    loss, wanted_loss = kernel(found), reference(wanted)
    torch.testing.assert_close(loss, wanted_loss)
    weight = torch.linspace(1, 2, loss.numel(), dtype=loss.dtype, device=loss.device)
    # The Dice loss spreads over its pixels: weights as large give gradients of about one.
    weight = weight.view_as(loss) * (predictions.numel() // loss.numel())
    torch.testing.assert_close(
        *torch.autograd.grad((loss * weight).sum(), found),
        *torch.autograd.grad((wanted_loss * weight).sum(), wanted),
    )
