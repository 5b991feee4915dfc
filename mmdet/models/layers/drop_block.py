"""DropBlock (Ghiasi et al., 2018, https://arxiv.org/abs/1810.12890), by torchvision's operator."""

import torch
from torch import Tensor, nn
from torchvision.ops import drop_block2d

from mmdet.errors import UserError


class DropBlock(nn.Module):
    """In training, zeroes blocks of each channel and scales the rest so that its sum stays.

    A block lies within the feature, as in the paper; where PaddleDetection draws its centre
    anywhere, it reaches over the border, and somewhat more is dropped.

    Args:
        drop_prob: the part of a feature that is dropped, in [0, 1).
        block_size: side of a block; odd. In a smaller feature blocks are as large as they may be.

    Raises:
        UserError: an argument is out of its range.
    """

    def __init__(self, drop_prob: float, block_size: int) -> None:
        super().__init__()
        if not 0 <= drop_prob < 1:
            raise UserError(f'drop_prob {drop_prob} is not in [0, 1)')
        if block_size < 1 or block_size % 2 == 0:
            raise UserError(f'block_size {block_size} of drop_block must be odd')
        self.drop_prob = drop_prob
        self.block_size = block_size

    def forward(self, input: Tensor) -> Tensor:
        """Return (B, C, H, W) for a feature of that shape, unchanged in inference."""
        if not self.training or not self.drop_prob:
            return input
        # It adds up what stays in the type of its input: in float16 that is infinite.
        ones = torch.ones_like(input, dtype=torch.float32)
        largest = min(self.block_size, *input.shape[-2:])
        kept = drop_block2d(ones, self.drop_prob, largest - (largest % 2 == 0))
        return input * kept.to(input.dtype)
