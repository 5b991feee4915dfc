"""Whether a file does what the detector does: tried once, where it was written."""

from copy import deepcopy
from pathlib import Path

import torch

from mmdet.errors import UserError
from mmdet.models.detectors import SOLO

from .metadata import MIN_DYNAMIC_SIDE, Metadata
from .network import ExportableDetector
from .raw import RawHeads
from .runtimes import load_runtime

# Runtimes add in another order; what is in float16 rounds at every step.
_TOLERANCE = 1e-3


def check_export(path: str | Path, model: SOLO) -> str:
    """Run a file on an image of noise, of another size than it was traced with where it takes any.

    Args:
        path: the file.
        model: the detector that was exported, on the CPU.

    Returns:
        What was found, as a line to be printed.

    Raises:
        UserError: the runtime cannot run it, or its numbers are not PyTorch's. Those of a file in
            float16 are not compared.
    """
    runtime = load_runtime(path)
    metadata = Metadata.from_strings(runtime.strings, source=str(path))
    height, width = metadata.size or (3 * MIN_DYNAMIC_SIDE, 2 * MIN_DYNAMIC_SIDE)
    image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0)) * 255
    try:
        found = runtime.run(image)
    except Exception as error:  # each runtime has its own
        reason = ' '.join(str(error).split())[:300]
        raise UserError(f'{path} was written, but its runtime cannot run it: {reason}') from error
    if metadata.half:
        return f'tried: {path} runs; in float16 its numbers are near those of PyTorch, not the same'
    copied = deepcopy(model).eval()
    graph = (
        RawHeads(copied)
        if metadata.raw
        else ExportableDetector(copied, num_candidates=metadata.num_candidates)
    )
    with torch.no_grad():
        expected = dict(zip(metadata.outputs, graph.eval()(image), strict=True))
    # Masks and labels follow scores: of two that are nearly the same, either may come first.
    names = [name for name in expected if name.startswith('scores')]
    worst = max((found[name] - expected[name]).abs().max().item() for name in names)
    if worst > _TOLERANCE:
        raise UserError(
            f'{path} was written, but do not use it: its scores differ from those of PyTorch by '
            f'{worst:.2g}'
        )
    return f'tried: {path} runs, and its scores differ from those of PyTorch by {worst:.1g} at most'
