"""Attention within the windows of a feature map (Liu et al., Swin Transformer, 2021).

Windows count from the upper left corner; a map is padded with zeros at its right and its bottom,
and these take part. timm's, which shifts before it pads, gives other numbers wherever a map is no
multiple of the window.

Dimensions: B images of height H and width W, C channels, N pixels in a window, n windows in an
image, h heads.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# As published; what it leaves of a pixel of another region is nothing in float32.
_OTHER_REGION = -100.0


class WindowMSA(nn.Module):
    """Self-attention of several heads within each window, with a bias for each relative position.

    Args:
        embed_dims: channels.
        num_heads: heads, which share the channels.
        window_size: side of a window.
        qkv_bias: add a learned bias to queries, keys and values.
        qk_scale: of the queries; by default one over the root of a head's channels.
        attn_drop_rate: of the attention weights, dropped in training.
        proj_drop_rate: of the output, dropped in training.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        window_size: int,
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        attn_drop_rate: float = 0.0,
        proj_drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.scale = qk_scale
        self.attn_drop_rate = attn_drop_rate
        offsets = 2 * window_size - 1
        self.relative_position_bias_table = nn.Parameter(torch.zeros(offsets**2, num_heads))
        self.relative_position_index: Tensor
        self.register_buffer('relative_position_index', relative_positions(window_size))
        self.qkv = nn.Linear(embed_dims, 3 * embed_dims, bias=qkv_bias)
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(proj_drop_rate)

    def forward(self, windows: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return (B * n, N, C) for (B * n, N, C) windows.

        Args:
            windows: the pixels of each window.
            mask: (n, N, N), added to the logits of attention.
        """
        query, key, value = (
            part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for part in self.qkv(windows).chunk(3, dim=-1)
        )
        bias = self.relative_position_bias_table[self.relative_position_index]
        bias = bias.permute(2, 0, 1)[None]
        if mask is not None:
            bias = (bias + mask[:, None]).repeat(len(windows) // len(mask), 1, 1, 1)
        attended = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=bias.to(query.dtype),
            dropout_p=self.attn_drop_rate if self.training else 0.0,
            scale=self.scale,
        )
        return self.proj_drop(self.proj(attended.transpose(1, 2).flatten(2)))


class ShiftWindowMSA(nn.Module):
    """`WindowMSA` on a feature map, whose windows are shifted by `shift_size` pixels."""

    def __init__(self, w_msa: WindowMSA, window_size: int, shift_size: int) -> None:
        super().__init__()
        self.w_msa = w_msa
        self.window_size = window_size
        self.shift_size = shift_size

    def forward(self, feature: Tensor) -> Tensor:
        """Return (B, H, W, C) for a (B, H, W, C) feature."""
        height, width = feature.shape[1:3]
        size, shift = self.window_size, self.shift_size
        feature = F.pad(feature, (0, 0, 0, -width % size, 0, -height % size))
        mask = None
        if shift:
            feature = feature.roll((-shift, -shift), dims=(1, 2))
            mask = shifted_mask(feature, size, shift)
        rows, columns = feature.shape[1] // size, feature.shape[2] // size
        attended = self.w_msa(in_windows(feature, size), mask)
        attended = attended.view(-1, rows, columns, size, size, attended.shape[-1])
        attended = attended.transpose(2, 3).flatten(3, 4).flatten(1, 2)
        if shift:
            attended = attended.roll((shift, shift), dims=(1, 2))
        return attended[:, :height, :width]


def in_windows(feature: Tensor, size: int) -> Tensor:
    """Return the (B * n, N, C) windows of a (B, H, W, C) feature whose sides are multiples."""
    split = feature.unflatten(2, (-1, size)).unflatten(1, (-1, size))
    return split.transpose(2, 3).flatten(3, 4).flatten(0, 2)


def shifted_mask(feature: Tensor, size: int, shift: int) -> Tensor:
    """Return the (n, N, N) mask of a (B, H, W, C) feature that was rolled by `shift` pixels.

    What was at the end of an axis meets what was rolled there from its beginning; these do not
    attend to each other.
    """
    rows, columns = (
        (place >= length - size).long() + (place >= length - shift).long()
        for length in feature.shape[1:3]
        for place in [torch.arange(length, device=feature.device)]
    )
    regions = in_windows((3 * rows[:, None] + columns)[None, ..., None], size)[..., 0]
    differs = regions[:, None] != regions[..., None]
    return differs.to(feature.dtype) * _OTHER_REGION


def relative_positions(size: int) -> Tensor:
    """Return (N, N): for a pixel of a window and another, where the bias of their offset stands.

    Examples:
        >>> relative_positions(2)
        tensor([[4, 3, 1, 0],
                [5, 4, 2, 1],
                [7, 6, 4, 3],
                [8, 7, 5, 4]])
    """
    place = torch.arange(size**2)
    rows, columns = (
        axis[:, None] - axis[None] + size - 1 for axis in (place // size, place % size)
    )
    return rows * (2 * size - 1) + columns
