"""The maps of a grid's rows and columns, which Decoupled SOLO's masks are products of.

Shape letters: C channels, S lines of a grid, K of them, P cells, (h, w) the size of a map.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .features import apply_rows


def draw_lines(conv: nn.Conv2d, features: Sequence[Tensor], lines: Sequence[Tensor]) -> Tensor:
    """Return some output channels of a 3 x 3 convolution over doubled features.

    The features are never doubled. A 3 x 3 convolution is nine 1 x 1 convolutions whose results
    are shifted and added, and those commute with bilinear resizing: they are applied small, to
    the wanted lines alone, and their maps doubled. That takes a quarter of the multiplications,
    and keeps nothing of the doubled size for the backward pass.

    Args:
        conv: with S output channels, one for each line of the grid.
        features: for each image, (C, h, w).
        lines: for each image, (K_i,) output channels, on the convolution's device.

    Returns:
        (K, 2 h, 2 w) logits, image after image.
    """
    bias = conv.bias
    assert bias is not None  # the heads build them with it
    chosen = torch.cat(tuple(lines))
    # `fold` adds at y + dy what a convolution reads from y - dy: hence the flip.
    taps = conv.weight.index_select(0, chosen).flip(2, 3).flatten(2).transpose(1, 2)  # (K, 9, C)
    rows = [part.flatten(0, 1) for part in taps.split([len(part) for part in lines])]
    # Nine half precision numbers would be added with a rounding each.
    maps = apply_rows(rows, features).to(bias.dtype).unflatten(0, (-1, 9))
    drawn = [
        _add_shifted(F.interpolate(few, scale_factor=2, mode='bilinear'))
        for few in _few_at_once(maps)
    ]
    return torch.cat(drawn) + bias.index_select(0, chosen)[:, None, None]


def _few_at_once(taps: Tensor) -> Sequence[Tensor]:
    """Split (K, 9, h, w) maps so that a part's doubled ones are a few MB, and stay in the cache."""
    if torch.compiler.is_exporting():  # whose sizes are not known
        return [taps]
    return taps.split(max(1, 2**20 // taps.shape[1:].numel()))


def draw_lines_of_cells(
    conv: nn.Conv2d, features: Sequence[Tensor], lines: Sequence[Tensor]
) -> Tensor:
    """Return what `draw_lines` does, of lines that stand there as often as cells are on them.

    Args:
        conv: see `draw_lines`.
        features: see `draw_lines`.
        lines: for each image, (P_i,) output channels, on the host. Each is drawn once.

    Returns:
        (P, 2 h, 2 w) logits, image after image.
    """
    device = conv.weight.device
    distinct: list[Tensor] = []
    picked: list[int] = []
    count = 0
    for each in lines:
        places = {line: count + index for index, line in enumerate(sorted(set(each.tolist())))}
        distinct.append(torch.tensor(list(places), dtype=torch.long).to(device, non_blocking=True))
        picked += [places[line] for line in each.tolist()]
        count += len(places)
    drawn = draw_lines(conv, features, distinct)
    chosen = torch.tensor(picked, dtype=torch.long).to(device, non_blocking=True)
    return drawn.index_select(0, chosen)


class KnownLines:
    """The maps of those lines of a grid that were asked for, each computed once.

    Args:
        compute: (K,) lines, on the host -> (K, h, w) maps.
    """

    def __init__(self, compute: Callable[[Tensor], Tensor]) -> None:
        self._compute = compute
        self._places: dict[int, int] = {}
        self._maps: Tensor | None = None

    def __getitem__(self, lines: Tensor) -> Tensor:
        """Return the (P, h, w) maps of (P,) lines, on the host; one may stand there often."""
        wanted = lines.tolist()
        unknown = sorted(set(wanted) - self._places.keys())
        if self._maps is None or unknown:
            maps = self._compute(torch.tensor(unknown, dtype=torch.long))
            self._places |= {line: len(self._places) + i for i, line in enumerate(unknown)}
            self._maps = maps if self._maps is None else torch.cat((self._maps, maps))
        places = torch.tensor([self._places[line] for line in wanted], dtype=torch.long)
        return self._maps.index_select(0, places.to(self._maps.device, non_blocking=True))


def _add_shifted(taps: Tensor) -> Tensor:
    """Add up the nine (P, 9, h, w) maps of 3 x 3 convolutions, each moved to where it belongs."""
    if torch.compiler.is_exporting():
        # Few other runtimes know `fold`; all can slice. Backward, slices would take five times
        # as long as it does.
        height, width = taps.shape[-2:]
        padded = F.pad(taps, (1, 1, 1, 1))
        moved = [
            padded[:, 3 * row + column, 2 - row : 2 - row + height, 2 - column : 2 - column + width]
            for row in range(3)
            for column in range(3)
        ]
        return sum(moved[1:], moved[0])
    return F.fold(taps.flatten(2), taps.shape[-2:], kernel_size=3, padding=1)[:, 0]
