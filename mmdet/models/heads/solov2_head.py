"""SOLOv2: a cell's mask is the mask feature convolved with a kernel that the cell predicts."""

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdet.errors import UserError
from mmdet.models.assigners import GridTargets
from mmdet.models.layers import Conv3x3, DropBlock, of_levels, with_coordinates
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
        drop_block: arguments of `DropBlock`, for the features that categories and kernels are
            predicted from.

    The others are those of `BaseSOLOHead`. Masks have the mask feature's stride, so that `strides`
    say here only how large an instance must be to be detected.
    """

    mask_feature_head: InitVar[dict]
    dynamic_conv_size: int = 1
    drop_block: dict | None = None

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

    def tower(self, in_channels: int) -> nn.Sequential:
        """See `BaseSOLOHead.tower`; a layer without parameters may follow the convolutions."""
        tower = super().tower(in_channels)
        return tower if self.drop_block is None else tower.append(DropBlock(**self.drop_block))

    def mask_source(self, outputs: HeadOutputs, level: int, images: Sequence[int]) -> KernelSource:
        """Return the level's kernels and, the same for all levels, the mask feature."""
        (kernels,) = self.kernels(outputs, {level: images})
        feature = self.mask_feature(outputs)
        return kernels, tuple(feature[image] for image in images or [0])

    def learnt_masks(
        self,
        outputs: HeadOutputs,
        images: Sequence[Sequence[int]],
        cells: Sequence[Sequence[Tensor]],
    ) -> list[Tensor]:
        """See `BaseSOLOHead.learnt_masks`; all levels at once.

        So an image's mask feature, which is large, is read once, and gets its gradient in one go.
        """
        kernels = self.kernels(outputs, dict(enumerate(images)))
        drawn_of = [list(chosen) or [0] for chosen in images]
        rows = {
            (level, image): part
            for level, each in enumerate(drawn_of)
            for image, part in zip(each, choose_rows(kernels[level], cells[level]), strict=True)
        }
        maps: dict[tuple[int, int], Tensor] = {}
        for image, feature in enumerate(self.compute_mask_feature(outputs)):
            of_image = {key: part for key, part in rows.items() if key[1] == image}
            if of_image:
                every = apply_rows([torch.cat(list(of_image.values()))], [feature])
                parts = every.split([len(part) for part in of_image.values()])
                maps |= zip(of_image, parts, strict=True)
        return [
            torch.cat([maps[level, image] for image in each])[None]
            for level, each in enumerate(drawn_of)
        ]

    def mask_feature(self, outputs: HeadOutputs) -> tuple[Tensor, ...]:
        """Return (C, h, w) for each image of the batch, computed when it is first asked for."""
        return outputs.once('mask_feature', lambda: self.compute_mask_feature(outputs))

    def compute_mask_feature(self, outputs: HeadOutputs) -> tuple[Tensor, ...]:
        """Return what `mask_feature` does, and keep nothing of it."""
        # The argument of that name, a dict, is gone by now.
        assert isinstance(self.mask_feature_head, MaskFeatModule)
        return each_image(self.mask_feature_head(outputs.feats))

    def kernels(
        self, outputs: HeadOutputs, images: Mapping[int, Sequence[int]]
    ) -> list[tuple[Tensor, ...]]:
        """Return what the cells of some levels predict: (S * S, C) of some images of each."""
        features = [
            F.interpolate(
                with_coordinates(outputs.level(level, chosen)),
                # Of no image there is a pixel, which need not become a grid.
                size=(self.num_grids[level],) * 2 if chosen else 1,
                mode='bilinear',
            )
            for level, chosen in images.items()
        ]
        for block in self.kernel_convs:
            features = of_levels(block, features)
        return [
            kernels.flatten(2).transpose(1, 2).unbind()
            for kernels in of_levels(self.conv_kernel, features)
        ]

    def cell_masks(self, source: KernelSource, level: int, cells: Sequence[Tensor]) -> Tensor:
        """See `BaseSOLOHead.cell_masks`; one factor, at the mask feature's stride."""
        kernels, mask_feature = source
        return apply_rows(choose_rows(kernels, cells), mask_feature)[None]

    def learnt_claims(self, targets: GridTargets) -> Tensor:
        """Return the indices of all claims."""
        return torch.arange(len(targets.cell), device=targets.cell.device)


def choose_rows(kernels: Sequence[Tensor], cells: Sequence[Tensor]) -> list[Tensor]:
    """Return for each image the (P_i, C) kernels of (P_i,) cells, on the host, of (S * S, C)."""
    return [
        rows.index_select(0, part.to(rows.device, non_blocking=True))
        for rows, part in zip(kernels, cells, strict=True)
    ]
