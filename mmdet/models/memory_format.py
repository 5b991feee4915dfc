"""In which order images lie in memory, and how a convolution that does not bear it is kept whole.

A CPU's convolutions are quicker channels last: on 2 cores of an AMD EPYC with torch 2.15
`configs/solo/solo_r18_fpn_shapes-cpu.py` trained a seventh faster, and SOLO R50 in a tenth
less memory. Other devices were not measured, and get images as they come. `MMDET_CHANNELS_LAST`
in the environment chooses otherwise, for any device: 1 for this order, 0 for images as they come.
Weights stay as they are; where PyTorch needs them in the images' order, it copies them.

One kernel of oneDNN's writes past its workspace in this order (uxlfoundation/oneDNN issue 6035;
measured with torch 2.14.1 and its oneDNN 3.12.0 on an AMD EPYC with AVX-512, also held to AVX2):
that of the weight gradient, in float32 and bfloat16, where all of this holds:

- the kernel is 1 x 1, with a stride in either direction, one group and no padding;
- height and width are multiples of the strides, so that rows or columns at the end are not read;
- there are fewer input channels than its block: 16 with AVX-512, 8 with AVX2. It looks for its
  copy of the images `block` numbers a pixel further on, and made room for `in_channels`: from 16
  on there is room enough, whatever the shape;
- images or weights are channels last. Some models permute theirs on their own.

Small images are summed in one step and come out right; larger ones overflow. The shortcuts of
narrow ResNets are such convolutions, and the stems of timm's RepVGG, MobileOne and FastViT. Their
images are cut to what is read, against the second condition: another kernel, the same result, on
any processor and in either order. A transposed convolution of kernel 1 with a stride would reach
the kernel too, and is not guarded: it leaves most of its output empty, and nobody builds one.

Another reads what nobody wrote, in half precision on a processor with AMX (torch 2.14.1 on an Intel
Xeon): a convolution with a stride whose output is one pixel wide and more than one high gives other
numbers each time, NaN among them, in either order. Held to AVX-512 it is right. In a network of
stride 32 that takes an input 32 pixels wide, such as a strip of 20,000 x 20 becomes.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

# The largest block of any instruction set.
_BLOCK = 16


def in_quickest_order(images: Tensor) -> Tensor:
    """Return (B, C, H, W) images in the order that their device's convolutions are quickest in.

    Or in that which `MMDET_CHANNELS_LAST` says.
    """
    wanted = os.environ.get('MMDET_CHANNELS_LAST') or str(int(images.device.type == 'cpu'))
    if wanted != '0':
        return images.contiguous(memory_format=torch.channels_last)
    return images


def is_channels_last(feature: Tensor) -> bool:
    """Return whether a (B, C, H, W) feature lies channels last, and not in the usual order as well.

    In a graph it does not: what lies where is for its compiler to decide.
    """
    if torch.compiler.is_compiling():
        return False
    return feature.is_contiguous(memory_format=torch.channels_last) and not feature.is_contiguous()


def in_sound_precision(images: Tensor) -> AbstractContextManager:
    """Return a context for a backbone: on a CPU, without autocast for images that are too narrow.

    Args:
        images: (B, 3, H, W) float32.
    """
    # In this order: an export, which knows no autocast, may not know the width.
    if images.device.type == 'cpu' and torch.is_autocast_enabled('cpu') and images.shape[-1] <= 32:
        return torch.autocast('cpu', enabled=False)
    return nullcontext()


def guard_strided_convolutions(model: nn.Module) -> None:
    """Keep a model's convolutions out of the kernel that writes past its workspace.

    Convolutions that were guarded before are left alone.
    """
    for _, module in overflowing_convolutions(model):
        if _cut_unread not in module._forward_pre_hooks.values():
            module.register_forward_pre_hook(_cut_unread, with_kwargs=True)


def overflowing_convolutions(model: nn.Module) -> Iterator[tuple[str, nn.Conv2d]]:
    """Name the convolutions that some processor would run in the kernel, for some size of images.

    >>> dict(overflowing_convolutions(nn.Conv2d(8, 16, 1, stride=2)))
    {'': Conv2d(8, 16, kernel_size=(1, 1), stride=(2, 2))}
    >>> dict(overflowing_convolutions(nn.Conv2d(16, 16, 1, stride=2)))
    {}
    """
    for name, module in model.named_modules():
        if (
            isinstance(module, nn.Conv2d)
            and module.in_channels < _BLOCK
            and module.groups == 1
            and module.kernel_size == (1, 1)
            and module.stride != (1, 1)
            and module.padding in ((0, 0), 'valid')
            # A deformable convolution, which has another inside, reads everywhere.
            and next(module.children(), None) is None
        ):
            yield name, module


def keep_strides_of_gradients(model: nn.Module) -> None:
    """Let the gradients of 1 x 1 weights have the strides that the weights have.

    Channels last, such a gradient lies in memory as its weight does, but the strides of its two
    axes of one element say otherwise. `DistributedDataParallel` compares them, and warns.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
            weight = module.weight
            if weight.requires_grad:
                weight.register_hook(_with_usual_strides)


def _with_usual_strides(grad: Tensor) -> Tensor:
    return grad.flatten(1).view(grad.shape)


def _cut_unread(
    module: nn.Conv2d, args: tuple[Tensor, ...], kwargs: dict[str, Tensor]
) -> tuple[tuple[Tensor], dict] | None:
    """Leave out the rows and columns after the last that a strided 1 x 1 convolution reads."""
    (images,) = (*args, *kwargs.values())
    if images.device.type != 'cpu' or not torch.is_grad_enabled():
        return None
    height, width = (
        (side - 1) // stride * stride + 1
        for side, stride in zip(images.shape[-2:], module.stride, strict=True)
    )
    return (images[..., :height, :width],), {}
