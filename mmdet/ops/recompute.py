"""Operations that do not keep their input for the backward pass where it can be computed again.

A convolution keeps its input, for the gradient of its weight. If that is what `group_norm_relu`
gave, the norm keeps its own input as well, which is as large, and the convolution's follows from it
in one pass: so in a tower of both only one of the two is kept.

Who computes such a tensor says so, by `can_be_recomputed`; who reads it opens `recomputes` around
the operation that reads it, which then keeps a note, as a hook on what autograd saves. Anything
else that reads the tensor keeps it, as usual.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.weak import WeakTensorKeyDictionary


@dataclass(frozen=True)
class _Kept:
    """A tensor, and how often it had been written into."""

    tensor: Tensor
    version: int

    @classmethod
    def of(cls, tensor: Tensor) -> '_Kept':
        # Of an operation's output the graph would be a circle, which is never freed.
        return cls(tensor.detach(), tensor._version)

    def get(self) -> Tensor:
        if self.tensor._version != self.version:
            raise RuntimeError(
                'a tensor that is needed for gradients was changed in place: of shape '
                f'{tuple(self.tensor.shape)}, at version {self.tensor._version}, '
                f'expected version {self.version}'
            )
        return self.tensor


@dataclass(frozen=True)
class _Recipe:
    """How to compute a tensor again; see `can_be_recomputed`."""

    compute: Callable[..., Tensor]
    of_images: tuple[_Kept, ...]
    shared: tuple[_Kept, ...]
    version: int

    def images(self, begin: int, end: int) -> Tensor:
        """Return a part of the batch."""
        parts = (kept.get()[begin:end] for kept in self.of_images)
        return self.compute(*parts, *(kept.get() for kept in self.shared))


@dataclass(frozen=True)
class _View:
    """Where a view of a tensor lies in it: in some of its images."""

    recipe: _Recipe
    first_image: int
    last_image: int
    shape: torch.Size
    stride: tuple[int, ...]
    offset: int  # in the first image

    def get(self) -> Tensor:
        images = self.recipe.images(self.first_image, self.last_image + 1)
        return images.as_strided(self.shape, self.stride, self.offset)


_RECIPES = WeakTensorKeyDictionary()
_keeps_all = ContextVar('keeps_all', default=False)


def can_be_recomputed(
    output: Tensor,
    compute: Callable[..., Tensor],
    of_images: Sequence[Tensor],
    shared: Sequence[Tensor],
) -> None:
    """Let `recomputes` know how a tensor can be computed again.

    Args:
        output: (B, ...), image after image in memory without gaps.
        compute: returns the same, of some images, in the same order in memory; takes their parts
            of `of_images`, then all of `shared`.
        of_images: (B, ...) tensors that are kept anyway.
        shared: other tensors, likewise.
    """
    _RECIPES[output] = _Recipe(
        compute, tuple(map(_Kept.of, of_images)), tuple(map(_Kept.of, shared)), output._version
    )


@contextmanager
def everything_kept() -> Iterator[None]:
    """Let `recomputes` do nothing, for what is to be counted without what is computed again."""
    token = _keeps_all.set(True)
    try:
        yield
    finally:
        _keeps_all.reset(token)


def recomputes(*inputs: Tensor) -> AbstractContextManager:
    """Return a context whose operations do not keep `inputs`, if they can be computed again.

    They may be views. Their gradients can be differentiated as far as those of what computed them.
    Inside, other hooks on what autograd saves, such as those of `torch.utils.checkpoint`, see
    nothing of these operations.
    """
    # A compiler decides itself what it keeps.
    if (
        _keeps_all.get()
        or torch.compiler.is_compiling()
        or all(_recipe(input) is None for input in inputs)
    ):
        return nullcontext()
    return saved_tensors_hooks(_pack, _unpack)


def _whole(tensor: Tensor) -> Tensor:
    return tensor if tensor._base is None else tensor._base


def _recipe(tensor: Tensor) -> _Recipe | None:
    """Return how to compute again what a tensor is or is a view of, unless that was changed."""
    whole = _whole(tensor)
    recipe = _RECIPES.get(whole)
    return recipe if recipe and whole._version == recipe.version else None


# They hold on to nothing themselves: autograd keeps them beside what it kept.


def _pack(tensor: Tensor) -> _Kept | _View:
    recipe = _recipe(tensor)
    if recipe is None or not tensor.numel():
        return _Kept.of(tensor)
    whole = _whole(tensor)
    image_size = whole.numel() // len(whole)
    begin = int(tensor.storage_offset() - whole.storage_offset())
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    last = begin + sum((count - 1) * step for count, step in steps)
    return _View(
        recipe,
        begin // image_size,
        last // image_size,
        tensor.shape,
        tensor.stride(),
        begin % image_size,
    )


def _unpack(kept: _Kept | _View) -> Tensor:
    return kept.get()
