"""A block of which nothing inside is kept for the gradient: it is computed twice."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def recomputed(block: nn.Module, feature: Tensor) -> Tensor:
    """Return `block(feature)`, and compute it again for the gradient, statistics left alone."""
    if torch.compiler.is_compiling():
        # It repeats nothing that changes statistics.
        return checkpoint(block, feature, use_reentrant=False)
    contexts = partial(_first_and_again, block)
    return checkpoint(block, feature, use_reentrant=False, context_fn=contexts)


def _first_and_again(
    block: nn.Module,
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Return what is around a block's computation, and around its repetition for the gradient."""
    return nullcontext(), _statistics_kept(block)


@contextmanager
def _statistics_kept(block: nn.Module) -> Iterator[None]:
    """Let batch norms in training leave their statistics as they are: these have seen the batch."""
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]
    before = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, momentum, count in before:
            norm.momentum, norm.num_batches_tracked = momentum, count
