"""Whether anybody looks at a layer, and so must see it called as usual."""

from torch import nn


def has_hooks(layer: nn.Module) -> bool:
    """Return whether a layer's input, its output or their gradients go through hooks of its own."""
    return bool(
        layer._forward_hooks
        or layer._forward_pre_hooks
        or layer._backward_hooks
        or layer._backward_pre_hooks
    )
