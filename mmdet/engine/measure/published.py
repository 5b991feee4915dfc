"""The network as it was published: every mask of every cell, for each image and level.

This project computes less for the same result; here is what it is compared with.
"""

from functools import singledispatch

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdet.models.detectors import SOLO
from mmdet.models.heads import BaseSOLOHead, SOLOHead, SOLOV2Head
from mmdet.models.heads.decoupled_solo_head import BaseDecoupledHead
from mmdet.models.heads.outputs import HeadOutputs


class Published(nn.Module):
    """A detector whose `forward` computes all that the published one does before its losses.

    Args:
        detector: whose layers these are.
    """

    def __init__(self, detector: SOLO) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Return the outputs for (B, 3, H, W) preprocessed images."""
        head = self.detector.mask_head
        outputs = head(self.detector.extract_feat(inputs))
        return [*outputs.cls_preds, *masks_of_all(head, outputs, list(range(len(inputs))))]


@singledispatch
def masks_of_all(head: BaseSOLOHead, outputs: HeadOutputs, images: list[int]) -> list[Tensor]:
    """Return for each level what the published head predicts of the masks of some images."""
    raise NotImplementedError(type(head).__name__)


@masks_of_all.register
def _(head: SOLOHead, outputs: HeadOutputs, images: list[int]) -> list[Tensor]:
    return [
        conv(_doubled(head.source(outputs, level, images)))
        for level, conv in enumerate(head.conv_mask_list)
    ]


@masks_of_all.register
def _(head: BaseDecoupledHead, outputs: HeadOutputs, images: list[int]) -> list[Tensor]:
    convs = zip(head.conv_mask_list_x, head.conv_mask_list_y, strict=True)
    return [
        conv(_doubled(features))
        for level, pair in enumerate(convs)
        for conv, features in zip(pair, head.source(outputs, level, images), strict=True)
    ]


@masks_of_all.register
def _(head: SOLOV2Head, outputs: HeadOutputs, images: list[int]) -> list[Tensor]:
    # The kernels of all cells; it, too, convolves with those of some cells alone.
    sources = [head.source(outputs, level, images) for level in range(len(head.num_grids))]
    return [torch.stack(part) for source in sources for part in source]


def _doubled(features: tuple[Tensor, ...]) -> Tensor:
    return F.interpolate(torch.stack(features), scale_factor=2, mode='bilinear')
