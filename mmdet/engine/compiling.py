"""`compile` in a config: of a detector, the backbone and the neck are compiled by `torch.compile`.

mmengine compiles the whole step. But how many instances there are, and on which levels, decides
what most of a step does: targets, mask towers, losses. Four steps of a tiny network took 67 graphs
and four minutes to compile (backend `aot_eager`), and went on so. Backbone and neck depend on the
images' size alone: a graph each, and another one for any size when a second size comes. They are
compiled wherever they are called: also in the validations of a training.

A compiled graph has PyTorch's own operators only, neither `conv3x3` nor folded norms.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from mmdet.errors import UserError
from mmdet.models.detectors import SOLO

WITHOUT = '--cfg-options compile=False trains without'


def compile_network(detector: SOLO, options: Mapping) -> None:
    """Have a detector's backbone and neck compiled when they are next called.

    Args:
        detector: it is changed; its parameters and their names are not.
        options: arguments of `torch.compile`, such as `backend` and `mode`.

    Raises:
        UserError: they are none.
    """
    for part in (detector.backbone, detector.neck):
        try:
            part.compile(**options)
        except (TypeError, ValueError, RuntimeError) as error:
            raise UserError(f'compile={dict(options)}: {_said_by(error)}; {WITHOUT}') from None


@contextmanager
def naming_compilation() -> Iterator[None]:
    """Say in one line what could not be compiled, for the want of a compiler or otherwise.

    Raises:
        UserError: something could not be compiled.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch._dynamo.exc.TorchDynamoException):
            raise
        raise UserError(f'compile: {_said_by(error)}; {WITHOUT}') from error


def _said_by(error: Exception) -> str:
    # The first line may say no more than which backend has failed.
    return ' '.join(str(error).splitlines()[:2])[:200].strip()
