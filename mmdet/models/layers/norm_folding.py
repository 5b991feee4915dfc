"""A convolution and its batch norm as one convolution, while the norm keeps its statistics.

With s = gamma / sqrt(var + eps), a norm that keeps its mean and var is linear, and

    (conv(x, w) - mean) s + beta = conv(x, w s) + (beta - mean s).

The gradients of w, gamma and beta follow from those of w s and of the bias (You et al., Efficient
ConvBN Blocks for Transfer Learning and Beyond, 2023, https://arxiv.org/abs/2305.11624, which calls
it Tune mode). It saves the norm's passes over the feature, and the backward pass needs the feature
between the two no more: with a ReLU in place after it, half of what a block keeps.
"""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm

from .conv3x3 import Conv3x3
from .hooks import has_hooks


def conv_norm(feature: Tensor, conv: nn.Module, norm: nn.Module) -> Tensor:
    """Return `norm(conv(feature))`, by one convolution where that is the same, and pays.

    Its rounding is another: each weight is rounded once more, and under autocast the bias too.

    Args:
        feature: (B, C, H, W).
        conv: any layer; of `nn.Conv2d`'s way to compute, or it is not folded.
        norm: any layer; a batch norm with fixed statistics, or it is not folded.

    Returns:
        (B, C', H', W').
    """
    if (
        isinstance(conv, nn.Conv2d)
        and isinstance(norm, _BatchNorm)
        and _is_foldable(conv, norm)
        and _pays(feature, conv)
    ):
        weight, bias = folded(conv.weight, norm)
        return conv._conv_forward(feature, weight, bias)
    return norm(conv(feature))


def folded(weight: Tensor, norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    """Return the (O, ...) weight and (O,) bias of the convolution by `weight`, then by `norm`."""
    mean, var = norm.running_mean, norm.running_var
    assert mean is not None and var is not None
    scale = norm.weight * torch.rsqrt(var + norm.eps)
    return weight * scale.view(-1, 1, 1, 1), norm.bias - mean * scale


def _is_foldable(conv: nn.Conv2d, norm: _BatchNorm) -> bool:
    """Say whether the two are what the identity is about, and nobody looks at what is between."""
    return (
        # A subclass with a `forward` of its own computes something else.
        type(conv).forward in (nn.Conv2d.forward, Conv3x3.forward)
        and type(norm).forward in (_BatchNorm.forward, SyncBatchNorm.forward)
        and conv.bias is None
        and norm.affine
        and not norm.training
        and norm.running_mean is not None
        # A norm of half precision computes in float32.
        and norm.weight.dtype in (torch.float32, torch.float64)
        # Among those who look is `mmdet.models.memory_format`, which changes what is convolved.
        and not any(has_hooks(layer) for layer in (conv, norm))
        # A graph of the layers as they are is what others know how to fuse.
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
    )


def _pays(feature: Tensor, conv: nn.Conv2d) -> bool:
    """Say whether there is more to save on the convolution's output than to spend on its weight.

    Folding passes over the weight about as often as the norm over the output, and where gradients
    are wanted one of the two is kept. The constant is for the few small operations that it takes:
    measured on one core of an Intel Xeon with torch 2.14.1, they make up for an output of 32,000
    numbers in inference and of 64,000 in training. On a GPU, where each is a launch, nothing was
    measured: there it is for memory alone.
    """
    is_trained = torch.is_grad_enabled() and (feature.requires_grad or conv.weight.requires_grad)
    batch, _, height, width = feature.shape
    pixels = batch * (height // conv.stride[0]) * (width // conv.stride[1])
    return (is_trained or feature.device.type == 'cpu') and (
        pixels * conv.out_channels >= conv.weight.numel() + 2**16
    )
