"""ResNet (He et al., Deep Residual Learning for Image Recognition, 2016) that returns its stages.

With groups it is ResNeXt (Xie et al., Aggregated Residual Transformations for Deep Neural Networks,
2017); with a deep stem and pooled shortcuts ResNet-D (He et al., Bag of Tricks for Image
Classification with Convolutional Neural Networks, 2019). Parameters are named as torchvision's and
mmdetection's, so published checkpoints of both load.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmdet.errors import UserError
from mmdet.models.layers import conv_norm, reset_offsets, use_conv3x3
from mmdet.registry import MODELS

from .blocks import BasicBlock, Bottleneck
from .recomputed import recomputed

# depth: block, and the number of them in each stage
ARCHITECTURES: dict[int, tuple[type[BasicBlock | Bottleneck], tuple[int, ...]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}

SCRATCH_INIT = [
    dict(type='Kaiming', layer='Conv2d'),
    dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm']),
]


def _norm(channels: int, *, norm_cfg: dict) -> nn.Module:
    return build_norm_layer(norm_cfg, channels)[1]


@MODELS.register_module(name=['ResNet', 'ResNeXt'])
class ResNet(BaseModule):
    """ResNet or ResNeXt that returns the features of its stages.

    Args:
        depth: 18, 34, 50, 101 or 152.
        in_channels: of the images.
        stem_channels: of the stem; by default `base_channels`.
        base_channels: of the first stage; each further stage doubles them.
        num_stages: 1 to 4.
        strides: of each stage's first block.
        dilations: of the 3 x 3 convolutions in each stage's bottleneck blocks.
        out_indices: stages whose features are returned, from 0.
        style: where a bottleneck block strides: `pytorch` in its 3 x 3, `caffe` in its first
            1 x 1 convolution.
        deep_stem: three 3 x 3 convolutions as the stem instead of one of 7 x 7; the first two have
            half its channels.
        avg_down: shortcuts that stride take the mean of the pixels that they would step over.
        frozen_stages: the stem and this many stages keep their weights and statistics; 0 freezes
            the stem, -1 nothing.
        norm_cfg: norm layer.
        norm_eval: batch norms keep their statistics in training.
        dcn: deformable 3 x 3 convolutions in bottleneck blocks, for example `dict(type='DCNv2')`.
        stage_with_dcn: in which stages.
        with_cp: in training keep no features inside of blocks, and compute them again for the
            gradient: less memory, in more time.
        zero_init_residual: without an `init_cfg`, let every block begin as the identity.
        init_cfg: see mmengine's `BaseModule`; for pretrained weights
            `dict(type='Pretrained', checkpoint='torchvision://resnet50')`.
        groups: of the 3 x 3 convolutions in bottleneck blocks: ResNeXt.
        base_width: channels of a group for every 64 channels of a stage; by default 64 for one
            group and 4 for several.
    """

    # For the check of configs: what to do without arguments that mmdetection has beside these
    instead: ClassVar = dict(
        conv_cfg='deformable convolutions are set by dcn and stage_with_dcn',
        plugins="attention is in models of timm's: type='TIMMBackbone', model_name='gcresnet50t', "
        "'seresnet50' or 'ecaresnet50d'",
        pretrained="set init_cfg=dict(type='Pretrained', checkpoint=...)",
        contract_dilation='dilations apply to all blocks of a stage',
    )

    def __init__(
        self,
        depth: int,
        in_channels: int = 3,
        stem_channels: int | None = None,
        base_channels: int = 64,
        num_stages: int = 4,
        strides: Sequence[int] = (1, 2, 2, 2),
        dilations: Sequence[int] = (1, 1, 1, 1),
        out_indices: Sequence[int] = (0, 1, 2, 3),
        style: str = 'pytorch',
        deep_stem: bool = False,
        avg_down: bool = False,
        frozen_stages: int = -1,
        norm_cfg: dict | None = None,
        norm_eval: bool = True,
        dcn: dict | None = None,
        stage_with_dcn: Sequence[bool] = (False, False, False, False),
        with_cp: bool = False,
        zero_init_residual: bool = True,
        init_cfg: dict | list[dict] | None = None,
        groups: int = 1,
        base_width: int | None = None,
    ) -> None:
        if depth not in ARCHITECTURES:
            raise UserError(f'ResNet has no depth {depth}; known are {sorted(ARCHITECTURES)}')
        if style not in ('pytorch', 'caffe'):
            raise UserError(f"style must be 'pytorch' or 'caffe', not {style!r}")
        if not 1 <= num_stages <= 4 or max(out_indices) >= num_stages:
            raise UserError(f'out_indices {out_indices} do not fit num_stages {num_stages}')
        kind, num_blocks = ARCHITECTURES[depth]
        if min(len(strides), len(dilations)) < num_stages:
            raise UserError(
                f'strides {strides} and dilations {dilations} need a value for each of '
                f'{num_stages} stages'
            )
        if dcn and (len(stage_with_dcn) < num_stages or not any(stage_with_dcn[:num_stages])):
            raise UserError(
                f'stage_with_dcn {stage_with_dcn} names none of {num_stages} stages for dcn, or '
                'has too few values: set stage_with_dcn=(False, True, True, True), or leave dcn out'
            )
        if kind is BasicBlock and (groups > 1 or dcn or max(dilations) > 1):
            raise UserError(
                f'depth {depth} has no bottleneck blocks, which groups, dcn and dilations are for'
            )
        super().__init__(init_cfg=init_cfg or SCRATCH_INIT)
        self.zero_init_residual = zero_init_residual and init_cfg is None
        self.out_indices = tuple(out_indices)
        self.deep_stem = deep_stem
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.with_cp = with_cp
        norm = partial(_norm, norm_cfg=norm_cfg or dict(type='BN', requires_grad=True))
        block = partial(
            kind,
            groups=groups,
            base_width=base_width or (64 if groups == 1 else 4),
            norm_layer=norm,
        )

        channels = stem_channels or base_channels
        if deep_stem:
            self.stem = _deep_stem(in_channels, channels, norm)
        else:
            self.conv1 = nn.Conv2d(in_channels, channels, 7, stride=2, padding=3, bias=False)
            self.bn1 = norm(channels)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        for index in range(num_stages):
            planes = base_channels * 2**index
            out_channels = planes * kind.expansion
            shortcut = None
            if strides[index] != 1 or channels != out_channels:
                shortcut = _shortcut(channels, out_channels, strides[index], norm, avg_down)
            first = block(channels, planes, strides[index], shortcut)
            further = (block(out_channels, planes) for _ in range(1, num_blocks[index]))
            stage = nn.Sequential(first, *further)
            channels = out_channels
            for built in stage:
                if not isinstance(built, Bottleneck):
                    continue
                if style == 'caffe':
                    built.conv1.stride, built.conv2.stride = built.conv2.stride, built.conv1.stride
                built.conv2.dilation = built.conv2.padding = (dilations[index],) * 2
                if dcn and stage_with_dcn[index]:
                    built.conv2 = _deformable(built.conv2, dcn)
            use_conv3x3(stage)
            setattr(self, f'layer{index + 1}', stage)
        self.stages = [f'layer{index + 1}' for index in range(num_stages)]
        self._freeze()

    def init_weights(self) -> None:
        """Initialise as `init_cfg` says."""
        super().init_weights()
        if self.init_cfg == SCRATCH_INIT:
            reset_offsets(self)
        if self.zero_init_residual:
            for module in self.modules():
                if isinstance(module, BasicBlock | Bottleneck):
                    last = module.bn3 if isinstance(module, Bottleneck) else module.bn2
                    nn.init.zeros_(last.get_parameter('weight'))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the features of `out_indices` for (B, in_channels, H, W) images.

        With the usual strides they are at strides 4, 8, 16 and 32.
        """
        feature = images
        for conv, norm in self._stem():
            feature = self.relu(conv_norm(feature, conv, norm))
        feature = self.maxpool(feature)
        features = []
        for index, name in enumerate(self.stages):
            stage = getattr(self, name)
            feature = _recomputed(stage, feature) if self.with_cp else stage(feature)
            if index in self.out_indices:
                features.append(feature)
        return tuple(features)

    def train(self, mode: bool = True) -> 'ResNet':
        """Set the mode, but keep frozen parts and, with `norm_eval`, batch norms as they are."""
        super().train(mode)
        self._freeze()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _stem(self) -> Iterator[tuple[nn.Module, nn.Module]]:
        """Yield each convolution of the stem and its norm."""
        if not self.deep_stem:
            yield self.conv1, self.bn1
            return
        for index in range(0, len(self.stem), 3):
            yield self.stem[index], self.stem[index + 1]

    def _freeze(self) -> None:
        frozen = [layer for pair in self._stem() for layer in pair]
        frozen = frozen if self.frozen_stages >= 0 else []
        frozen += [getattr(self, name) for name in self.stages[: max(self.frozen_stages, 0)]]
        for module in frozen:
            module.eval()
            module.requires_grad_(False)


@MODELS.register_module()
class ResNetV1d(ResNet):
    """ResNet with a deep stem and pooled shortcuts, as ResNet-D of the paper; see `ResNet`.

    Args:
        depth: 18, 34, 50, 101 or 152.
        deep_stem: see `ResNet`.
        avg_down: see `ResNet`.
        **kwargs: further arguments of `ResNet`.
    """

    def __init__(
        self, depth: int, *, deep_stem: bool = True, avg_down: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(depth, deep_stem=deep_stem, avg_down=avg_down, **kwargs)


def _deep_stem(in_channels: int, channels: int, norm: Callable[[int], nn.Module]) -> nn.Sequential:
    """Return 3 x 3 convolutions, each with its norm and a ReLU; the first strides."""
    layers: list[nn.Module] = []
    for width, stride in ((channels // 2, 2), (channels // 2, 1), (channels, 1)):
        conv = nn.Conv2d(in_channels, width, 3, stride=stride, padding=1, bias=False)
        layers += [conv, norm(width), nn.ReLU(inplace=True)]
        in_channels = width
    stem = nn.Sequential(*layers)
    use_conv3x3(stem)
    return stem


def _shortcut(
    channels: int,
    out_channels: int,
    stride: int,
    norm: Callable[[int], nn.Module],
    avg_down: bool,
) -> nn.Sequential:
    """Return what projects the input of a stage's first block."""
    pools: list[nn.Module] = []
    if avg_down:
        # In its place even where it would change nothing: names count it.
        changes = stride > 1
        pool = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False)
        pools.append(pool if changes else nn.Identity())
        stride = 1
    conv = nn.Conv2d(channels, out_channels, 1, stride=stride, bias=False)
    return nn.Sequential(*pools, conv, norm(out_channels))


def _recomputed(stage: nn.Sequential, feature: Tensor) -> Tensor:
    """Return a stage's feature; inside of blocks that learn nothing is kept."""
    for block in stage:
        is_trained = block.training and any(each.requires_grad for each in block.parameters())
        if is_trained and torch.is_grad_enabled():
            feature = recomputed(block, feature)
        else:
            feature = block(feature)
    return feature


def _deformable(conv: nn.Conv2d, cfg: dict) -> nn.Conv2d:
    """Return the deformable convolution of `cfg` in the place of an ordinary one."""
    return MODELS.build(
        dict(
            **cfg,
            in_channels=conv.in_channels,
            out_channels=conv.out_channels,
            kernel_size=conv.kernel_size,
            stride=conv.stride,
            padding=conv.padding,
            dilation=conv.dilation,
            groups=conv.groups,
            bias=False,
        )
    )
