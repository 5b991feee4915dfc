"""What passes from a head's layers to its losses and to decoding."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from torch import Tensor

from .features import choose_images

T = TypeVar('T')


@dataclass
class HeadOutputs:
    """What a head's `forward` computes for a batch, and what more it computes when it is asked.

    Attributes:
        cls_preds: (B, C, S, S) category logits of each level.
        feats: the (B, C, H, W) pyramid levels as the neck gives them, from stride 4 on.
        levels: the same at the head's own strides.
        mask_size: (h, w), a quarter of the padded input, at which masks are decoded.
    """

    cls_preds: list[Tensor]
    feats: Sequence[Tensor]
    levels: list[Tensor]
    mask_size: tuple[int, int]
    _computed: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def level(self, level: int, images: Sequence[int]) -> Tensor:
        """Return the (B', C, H, W) features of some images, or of none, see `choose_images`."""
        return choose_images(self.levels[level], images)

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return what `compute` gave when it was first called with this key."""
        if key not in self._computed:
            self._computed[key] = compute()
        return self._computed[key]
