"""What passes from a head's layers to its losses and to decoding."""

from dataclasses import dataclass

from torch import Tensor


@dataclass
class HeadOutputs:
    """What a head's `forward` computes for a batch.

    Attributes:
        cls_preds: (B, C, S, S) category logits of each level.
        mask_sources: for each level what the head's `cell_masks` draws from, image by image.
        mask_size: (h, w), a quarter of the padded input, at which masks are decoded.
    """

    cls_preds: list[Tensor]
    mask_sources: list[tuple]
    mask_size: tuple[int, int]
