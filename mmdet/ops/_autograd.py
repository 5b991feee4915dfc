"""What torch hands to an op's part in the backward pass."""

from typing import Protocol

from torch import Tensor


class AutogradContext(Protocol):
    """What torch's own hints do not say: where a forward pass notes things for the backward one."""

    @property
    def saved_tensors(self) -> tuple[Tensor, ...]: ...

    def save_for_backward(self, *tensors: Tensor) -> None: ...

    def mark_non_differentiable(self, *outputs: Tensor) -> None: ...
