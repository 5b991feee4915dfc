"""Whether a checkpoint is one of this model, and what begins anew where it is another's."""

from collections.abc import Mapping
from typing import NamedTuple

from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from mmdet.engine.wrapper import unwrapped
from mmdet.errors import Remedy, UserError

from .layouts import known_layouts
from .resume import is_training


class Difference(NamedTuple):
    """How a checkpoint's parameters and buffers differ from a model's; each by name.

    Attributes:
        missing: those that the checkpoint lacks.
        unexpected: those that the model lacks.
        other_shape: those of both that have another shape; name -> `(5, 2) instead of (3, 2)`.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    other_shape: Mapping[str, str]

    def listed(self, titles: tuple[str, str, str]) -> str:
        """Return what differs, the first three of each kind, under titles; empty if nothing does.

        Args:
            titles: of what is missing, unexpected, of another shape.
        """
        named = (
            self.missing,
            self.unexpected,
            [f'{name} {shapes}' for name, shapes in self.other_shape.items()],
        )
        return '; '.join(
            f'{title} {len(names)}: {", ".join(names[:3])}{", ..." if len(names) > 3 else ""}'
            for title, names in zip(titles, named, strict=True)
            if names
        )


def difference(model: nn.Module, weights: Mapping[str, Tensor]) -> Difference:
    """Compare a checkpoint's parameters and buffers with a model's.

    Args:
        model: in a wrapper or not.
        weights: the checkpoint's `state_dict`.
    """
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    wanted = {name: tuple(value.shape) for name, value in unwrapped(model).state_dict().items()}
    return Difference(
        # Old batch norms did not count their batches.
        tuple(key for key in wanted if key not in shapes and 'num_batches_tracked' not in key),
        tuple(key for key in shapes if key not in wanted),
        {
            key: f'{shapes[key]} instead of {wanted[key]}'
            for key in wanted
            if key in shapes and shapes[key] != wanted[key]
        },
    )


def check_fit(
    model: nn.Module, filename: str, *, resume: bool = False, content: dict | None = None
) -> None:
    """Compare a checkpoint's parameters with the model's.

    Args:
        model: what the checkpoint is for.
        filename: the checkpoint.
        resume: it must also hold the state of a training.
        content: what it holds, if it has been read already.

    Raises:
        UserError: names and shapes are not the same; the message names the first of them. Or
            there is no training to resume.
    """
    checkpoint = content or CheckpointLoader.load_checkpoint(
        filename, map_location='cpu', logger='silent'
    )
    if resume and not is_training(checkpoint):
        raise UserError(
            f'{filename} holds no training to resume; start with its weights',
            Remedy('settings', f'load_from={filename}'),
        )
    differs = difference(model, checkpoint['state_dict'])
    problems = differs.listed(('missing', 'unexpected', 'of another shape'))
    if problems:
        # Whose names are the model's is of a known layout.
        by_name = differs.missing or differs.unexpected
        layouts = f' Known layouts: {known_layouts()}' if by_name else ''
        raise UserError(
            f'{filename} does not fit the model; parameters {problems}. '
            f'Is it the checkpoint of this config?{layouts}'
        )


def load_what_fits(model: nn.Module, weights: Mapping[str, Tensor], filename: str) -> str:
    """Load a checkpoint that a training begins with; what it lacks keeps its initial values.

    So a detector of 80 classes may become one of three: the last layer of the class branch begins
    anew, as it does in mmdetection.

    Args:
        model: is changed; in a wrapper or not.
        weights: the checkpoint's `state_dict`.
        filename: the checkpoint.

    Returns:
        What was not loaded, as a sentence; empty if all was.

    Raises:
        UserError: nothing of it fits.
    """
    differs = difference(model, weights)
    left_out = {*differs.unexpected, *differs.other_shape}
    fitting = {name: value for name, value in weights.items() if name not in left_out}
    if not fitting:
        raise UserError(
            f'load_from: nothing in {filename} fits the model; parameters '
            f'{differs.listed(("missing", "unexpected", "of another shape"))}. '
            f'Known layouts: {known_layouts()}'
        )
    unwrapped(model).load_state_dict(fitting, strict=False)
    what = differs.listed(('missing, begin anew,', 'not used', 'of another shape, begin anew,'))
    return f'{filename}: {len(fitting)} parameters and buffers are loaded; {what}' if what else ''
