"""SOLOv2: a cell's mask is the mask feature convolved with a kernel that the cell predicts."""

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mmdet.errors import UserError
from mmdet.models.assigners import GridTargets
from mmdet.models.layers import Conv3x3, of_levels, with_coordinates
from mmdet.registry import MODELS

from .base_solo_head import BaseSOLOHead
from .features import apply_rows, each_image
from .mask_feature_head import MaskFeatModule
from .outputs import HeadOutputs

# For one level: the cells' (S * S, C) kernels and the (C, h, w) mask feature, image by image.
KernelSource = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]


@MODELS.register_module()
@dataclass(eq=False, repr=False, kw_only=True)
class SOLOV2Head(BaseSOLOHead):
    """SOLOv2's head (Wang et al., 2020, https://arxiv.org/abs/2003.10152).

    Where several instances claim a cell, its kernel learns all their masks.

    Args:
        mask_feature_head: arguments of `MaskFeatModule`; its `in_channels` are the head's.
        dynamic_conv_size: side of the kernels; must be 1.

    The others are those of `BaseSOLOHead`. Masks have the mask feature's stride, so that `strides`
    say here only how large an instance must be to be detected.
    """

    mask_feature_head: InitVar[dict]
    dynamic_conv_size: int = 1

    def __post_init__(self, mask_feature_head: dict) -> None:
        super().__post_init__()
        if self.dynamic_conv_size != 1:
            raise UserError(f'SOLOV2Head draws with 1 x 1 kernels, not {self.dynamic_conv_size}')
        self.kernel_convs = self.tower(self.in_channels + 2)
        arguments: dict = {**mask_feature_head, 'in_channels': self.in_channels}
        feature_head = MaskFeatModule(**arguments)
        self.mask_feature_head = feature_head
        self.conv_kernel = Conv3x3(self.feat_channels, feature_head.out_channels, 3, padding=1)
        self.mask_strides = (feature_head.mask_stride,) * len(self.num_grids)

    def mask_source(self, outputs: HeadOutputs, level: int, images: Sequence[int]) -> KernelSource:
        """Return the level's kernels and, the same for all levels, the mask feature."""
        return self._sources(outputs, {level: images})[0]

    def mask_sources(
        self, outputs: HeadOutputs, images: Sequence[Sequence[int]]
    ) -> list[KernelSource]:
        """See `BaseSOLOHead.mask_sources`; the kernels of all levels at once."""
        return self._sources(outputs, dict(enumerate(images)))

    def _sources(
        self, outputs: HeadOutputs, images: Mapping[int, Sequence[int]]
    ) -> list[KernelSource]:
        """Return what `mask_source` does, for some images of some levels."""
        kernels = self.kernels(
            [outputs.level(level, chosen) for level, chosen in images.items()],
            # Of no image there is a pixel, which need not become a grid.
            [self.num_grids[level] if chosen else 1 for level, chosen in images.items()],
        )
        feature = self.mask_feature(outputs)
        return [
            (of_level.unbind(), tuple(feature[image] for image in chosen or [0]))
            for of_level, chosen in zip(kernels, images.values(), strict=True)
        ]

    def mask_feature(self, outputs: HeadOutputs) -> tuple[Tensor, ...]:
        """Return (C, h, w) for each image of the batch, computed when it is first asked for."""
        # The argument of that name, a dict, is gone by now.
        assert isinstance(self.mask_feature_head, MaskFeatModule)
        compute = self.mask_feature_head
        return outputs.once('mask_feature', lambda: each_image(compute(outputs.feats)))

    def kernels(self, levels: Sequence[Tensor], num_grids: Sequence[int]) -> list[Tensor]:
        """Return the (B, S * S, C) kernels that the cells of some levels predict."""
        features = [
            F.interpolate(with_coordinates(level), size=(num_grid, num_grid), mode='bilinear')
            for level, num_grid in zip(levels, num_grids, strict=True)
        ]
        for block in self.kernel_convs:
            features = of_levels(block, features)
        return [
            kernels.flatten(2).transpose(1, 2) for kernels in of_levels(self.conv_kernel, features)
        ]

    def cell_masks(self, source: KernelSource, level: int, cells: Sequence[Tensor]) -> Tensor:
        """See `BaseSOLOHead.cell_masks`; one factor, at the mask feature's stride."""
        kernels, mask_feature = source
        chosen = [
            rows.index_select(0, part.to(rows.device, non_blocking=True))
            for rows, part in zip(kernels, cells, strict=True)
        ]
        return apply_rows(chosen, mask_feature)[None]

    def learnt_claims(self, targets: GridTargets) -> Tensor:
        """Return the indices of all claims."""
        return torch.arange(len(targets.cell), device=targets.cell.device)
