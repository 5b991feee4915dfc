"""Feature pyramid (Lin et al., Feature Pyramid Networks for Object Detection, 2017)."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmdet.errors import UserError
from mmdet.models.layers import Conv3x3
from mmdet.models.layers.hooks import has_hooks
from mmdet.ops import can_be_recomputed
from mmdet.registry import MODELS


@MODELS.register_module()
class FPN(BaseModule):
    """Top-down pyramid with lateral connections, and coarser levels beyond.

    Args:
        in_channels: of each input, from the finest to the coarsest.
        out_channels: of every output.
        num_outs: levels returned: the inputs in use, then further ones, each from the one before.
        start_level: first input that is used.
        end_level: last input that is used; -1 for the last of all, or else there are no further
            levels.
        add_extra_convs: of what a strided convolution makes the first further level: `on_input`
            (or True), of the last input; `on_lateral`, of its lateral; `on_output`, of the last
            level. By default further levels are max poolings.
        relu_before_extra_convs: put a ReLU before the convolutions of the second further level
            and on.
        no_norm_on_lateral: lateral convolutions have no norm.
        norm_cfg: norm layer of the convolutions, none by default.
        act_cfg: activation after the convolutions, none by default.
        init_cfg: see mmengine's `BaseModule`.
    """

    # For the check of configs: what to do without arguments that mmdetection has beside these
    instead: ClassVar = dict(
        conv_cfg='deformable convolutions are in the backbone (dcn) and the head (dcn_cfg)',
        upsample_cfg="leave it out: levels grow by mode='nearest'",
    )

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        num_outs: int,
        start_level: int = 0,
        end_level: int = -1,
        add_extra_convs: bool | Literal['on_input', 'on_lateral', 'on_output'] = False,
        relu_before_extra_convs: bool = False,
        no_norm_on_lateral: bool = False,
        norm_cfg: dict | None = None,
        act_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        init_cfg = init_cfg or dict(type='Xavier', layer='Conv2d', distribution='uniform')
        super().__init__(init_cfg=init_cfg)
        last = len(in_channels) - 1 if end_level == -1 else end_level
        if not 0 <= start_level <= last < len(in_channels):
            raise UserError(
                f'start_level {start_level} and end_level {end_level} name no inputs: '
                f'in_channels has {len(in_channels)}'
            )
        self.in_use = slice(start_level, last + 1)
        used = in_channels[self.in_use]
        if num_outs < len(used):
            raise UserError(f'num_outs {num_outs} is less than the {len(used)} inputs in use')
        if num_outs > len(used) and last < len(in_channels) - 1:
            raise UserError(
                f'end_level {end_level} leaves {len(used)} levels: set num_outs={len(used)}'
            )
        self.in_channels = list(in_channels)
        self.num_extra = num_outs - len(used)
        self.extra_source = 'on_input' if add_extra_convs is True else add_extra_convs or 'pooling'
        if self.extra_source not in ('pooling', 'on_input', 'on_lateral', 'on_output'):
            raise UserError(
                "add_extra_convs is a bool, 'on_input', 'on_lateral' or 'on_output', not "
                f'{add_extra_convs!r}'
            )
        self.relu_before_extra_convs = relu_before_extra_convs
        self.has_activation = act_cfg is not None

        self.conv3x3 = partial(
            ConvModule,
            out_channels=out_channels,
            kernel_size=3,
            padding=1,
            conv_cfg=dict(type=Conv3x3),
            norm_cfg=norm_cfg,
            act_cfg=act_cfg,
            inplace=False,
        )
        self.lateral_convs = nn.ModuleList(
            ConvModule(
                channels,
                out_channels,
                1,
                norm_cfg=None if no_norm_on_lateral else norm_cfg,
                act_cfg=act_cfg,
                inplace=False,
            )
            for channels in used
        )
        self.fpn_convs = nn.ModuleList(self.conv3x3(out_channels) for _ in used)
        if self.extra_source != 'pooling':
            for index in range(self.num_extra):
                from_input = index == 0 and self.extra_source == 'on_input'
                channels = used[-1] if from_input else out_channels
                self.fpn_convs.append(self.conv3x3(channels, stride=2))

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return (B, out_channels, H, W) levels from the finest to the coarsest.

        Raises:
            UserError: the inputs have other channels than `in_channels`.
        """
        given = [feature.shape[1] for feature in inputs]
        if given != self.in_channels:
            raise UserError(
                f'the backbone gives features of {given} channels, but the neck takes '
                f'{self.in_channels}: set model.neck.in_channels={given}'
            )
        used = inputs[self.in_use]
        laterals = [conv(x) for conv, x in zip(self.lateral_convs, used, strict=True)]
        merged = [laterals[-1]]
        for lateral in reversed(laterals[:-1]):
            merged.insert(0, self.add(lateral, _grown(merged[0], lateral)))
        if len(merged) > 1:
            _keep_nothing_of(merged[0], self.lateral_convs[0], used[0], merged[1])
        outs = self.levels(merged)
        sources = dict(on_input=used[-1], on_lateral=laterals[-1], on_output=outs[-1])
        return (*outs, *self._extra_levels(outs[-1], sources))

    def levels(self, merged: list[Tensor]) -> list[Tensor]:
        """Return the level of each merged map."""
        return [self.fpn_convs[index](each) for index, each in enumerate(merged)]

    def _extra_levels(self, last: Tensor, sources: dict[str, Tensor]) -> list[Tensor]:
        """Return the levels beyond `last`."""
        outs: list[Tensor] = []
        if self.extra_source == 'pooling':
            for _ in range(self.num_extra):
                last = F.max_pool2d(last, 1, stride=2)
                outs.append(last)
            return outs
        source = sources[self.extra_source]
        for conv in self.fpn_convs[len(self.lateral_convs) :]:
            outs.append(conv(source))
            source = F.relu(outs[-1]) if self.relu_before_extra_convs else outs[-1]
        return outs

    def add(self, output: Tensor, other: Tensor) -> Tensor:
        """Return the sum of something and a convolution's output, which nobody needs alone."""
        # An activation keeps its output for the gradient.
        return output + other if self.has_activation else output.add_(other)


def _grown(feature: Tensor, finer: Tensor) -> Tensor:
    return F.interpolate(feature, size=finer.shape[-2:], mode='nearest')


def _keep_nothing_of(finest: Tensor, block: nn.Module, feature: Tensor, above: Tensor) -> None:
    """Let the finest merged map, the largest of all, be computed again for its convolution.

    The two that it was computed from are kept anyway, for the gradients of weights.
    """
    assert isinstance(block, ConvModule)
    conv = block.conv
    # A norm in training would count the batch twice; who watches a layer sees it called once.
    is_plain = type(conv) is nn.Conv2d and not block.with_norm and not block.with_activation
    if not is_plain or has_hooks(block) or has_hooks(conv):
        return
    assert conv.bias is not None  # where no norm has one
    if finest.requires_grad and not torch.compiler.is_compiling():
        compute = partial(_again, finest.dtype)
        can_be_recomputed(finest, compute, (feature, above), (conv.weight, conv.bias))


def _again(
    dtype: torch.dtype, feature: Tensor, above: Tensor, weight: Tensor, bias: Tensor
) -> Tensor:
    # Autocast, which chose the type, is over in the backward pass.
    lateral = F.conv2d(feature.to(dtype), weight.to(dtype), bias.to(dtype))
    return lateral.add_(_grown(above, lateral))
