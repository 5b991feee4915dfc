"""Whether a checkpoint is one of this model."""

from mmengine.runner import CheckpointLoader
from torch import nn

from mmdet.engine.wrapper import unwrapped
from mmdet.errors import Remedy, UserError

from .layouts import known_layouts
from .resume import is_training


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
    shapes = {name: tuple(value.shape) for name, value in checkpoint['state_dict'].items()}
    wanted = {name: tuple(value.shape) for name, value in unwrapped(model).state_dict().items()}
    # Old batch norms did not count their batches.
    missing = [key for key in wanted if key not in shapes and 'num_batches_tracked' not in key]
    unexpected = [key for key in shapes if key not in wanted]
    other_shape = [
        f'{key} {shapes[key]} instead of {wanted[key]}'
        for key in wanted
        if key in shapes and shapes[key] != wanted[key]
    ]
    problems = [
        f'{title} {len(keys)}: {", ".join(keys[:3])}{", ..." if len(keys) > 3 else ""}'
        for title, keys in (
            ('missing', missing),
            ('unexpected', unexpected),
            ('of another shape', other_shape),
        )
        if keys
    ]
    if problems:
        # Whose names are the model's is of a known layout.
        layouts = f' Known layouts: {known_layouts()}' if missing or unexpected else ''
        raise UserError(
            f'{filename} does not fit the model; parameters {"; ".join(problems)}. '
            f'Is it the checkpoint of this config?{layouts}'
        )
