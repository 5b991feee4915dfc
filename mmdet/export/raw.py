"""The heads alone, for a runtime that decodes on its own.

Shape letters: C classes, S cells along a grid's side, E channels, (h, w) of a level's maps.
"""

from functools import singledispatch

import torch
from torch import Tensor, nn

from mmdet.models.heads import BaseSOLOHead, SOLOHead, SOLOV2Head
from mmdet.models.heads.decoupled_solo_head import BaseDecoupledHead
from mmdet.models.heads.lines import draw_lines
from mmdet.models.heads.outputs import HeadOutputs
from mmdet.models.postprocess import point_nms

from .network import ExportableHeads


class RawHeads(ExportableHeads):
    """From an image to category scores, and to what masks are drawn from.

    For each level i there is `scores_i` (C, S, S), in [0, 1], zero but for the best of each 2 x 2
    window: masks are wanted where it is above `score_thr`. The mask of the cell in row y and column
    x, as probabilities, is

    - SOLO: sigmoid(double(kernels_i[y S + x] . features_i + bias_i[y S + x])), of `features_i`
      (E, h, w), `kernels_i` (S S, E) and `bias_i` (S S,), which are the same for every image;
    - Decoupled SOLO: resize(sigmoid(columns_i[x])) * resize(sigmoid(rows_i[y])), of `columns_i` and
      `rows_i` (S, h, w);
    - SOLOv2: sigmoid(kernels_i[y S + x] . features), of `kernels_i` (S S, E) and `features`
      (E, h, w).

    A double is bilinear and does not align corners; a mask is then resized likewise to a quarter of
    the input.
    """

    def names(self) -> tuple[str, ...]:
        """Return the names of the outputs of `forward`."""
        levels = range(len(self.head.num_grids))
        scores = [f'scores_{level}' for level in levels]
        return (*scores, *mask_names(self.head))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Run the network on a (1, 3, H, W) float32 image; see the class for what comes out."""
        outputs = self.run_heads(image)
        scores = [point_nms(logits[0].sigmoid().float()) for logits in outputs.cls_preds]
        return (*scores, *(part.float() for part in mask_parts(self.head, outputs)))


def mask_names(head: BaseSOLOHead) -> list[str]:
    """Return the names of what `mask_parts` returns."""
    levels = range(len(head.num_grids))
    if isinstance(head, SOLOV2Head):
        return [*(f'kernels_{level}' for level in levels), 'features']
    kinds = ('columns', 'rows')
    if isinstance(head, SOLOHead):
        kinds = ('features', 'kernels', 'bias')
    return [f'{kind}_{level}' for level in levels for kind in kinds]


@singledispatch
def mask_parts(head: BaseSOLOHead, outputs: HeadOutputs) -> list[Tensor]:
    """Return what the masks of the batch's only image are drawn from; see `RawHeads`."""
    raise NotImplementedError(type(head).__name__)


@mask_parts.register
def _(head: SOLOHead, outputs: HeadOutputs) -> list[Tensor]:
    parts: list[Tensor] = []
    for level, conv in enumerate(head.conv_mask_list):
        weight, bias = conv.get_parameter('weight'), conv.get_parameter('bias')
        # A copy: what a graph returns must be its own.
        parts += [head.source(outputs, level, [0])[0], weight.flatten(1).clone(), bias.clone()]
    return parts


@mask_parts.register
def _(head: BaseDecoupledHead, outputs: HeadOutputs) -> list[Tensor]:
    parts = []
    convs = zip(head.conv_mask_list_x, head.conv_mask_list_y, strict=True)
    for level, pair in enumerate(convs):
        for conv, feature in zip(pair, head.source(outputs, level, [0]), strict=True):
            assert isinstance(conv, nn.Conv2d)
            every = torch.arange(conv.out_channels, device=feature[0].device)
            parts.append(draw_lines(conv, feature, [every]))
    return parts


@mask_parts.register
def _(head: SOLOV2Head, outputs: HeadOutputs) -> list[Tensor]:
    sources = [head.source(outputs, level, [0]) for level in range(len(head.num_grids))]
    return [*(kernels[0].clone() for kernels, _ in sources), sources[0][1][0].clone()]
