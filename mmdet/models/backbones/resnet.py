"""ResNet (He et al., Deep Residual Learning for Image Recognition, 2016) that returns its stages.

With groups it is ResNeXt (Xie et al., Aggregated Residual Transformations for Deep Neural Networks,
2017). Parameters are named as torchvision's and mmdetection's, so published checkpoints of both
load.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mmdet.errors import UserError
from mmdet.models.layers import conv_norm, reset_offsets, use_conv3x3
from mmdet.registry import MODELS

from .blocks import BasicBlock, Bottleneck

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
        base_channels: of the stem and the first stage; each further stage doubles them.
        groups: of the 3 x 3 convolutions in bottleneck blocks: ResNeXt.
        base_width: channels of a group for every 64 channels of a stage; by default 64 for one
            group and 4 for several.
        num_stages: 1 to 4.
        out_indices: stages whose features are returned, from 0.
        style: where a bottleneck block strides: `pytorch` in its 3 x 3, `caffe` in its first
            1 x 1 convolution.
        frozen_stages: the stem and this many stages keep their weights and statistics; 0 freezes
            the stem, -1 nothing.
        dcn: deformable 3 x 3 convolutions in bottleneck blocks, for example `dict(type='DCNv2')`.
        stage_with_dcn: in which stages.
        norm_cfg: norm layer.
        norm_eval: batch norms keep their statistics in training.
        with_cp: in training keep no features inside of blocks, and compute them again for the
            gradient: less memory, in more time.
        zero_init_residual: without an `init_cfg`, let every block begin as the identity.
        init_cfg: see mmengine's `BaseModule`; for pretrained weights
            `dict(type='Pretrained', checkpoint='torchvision://resnet50')`.
    """

    def __init__(
        self,
        depth: int,
        base_channels: int = 64,
        groups: int = 1,
        base_width: int | None = None,
        num_stages: int = 4,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        style: str = 'pytorch',
        frozen_stages: int = -1,
        dcn: dict | None = None,
        stage_with_dcn: Sequence[bool] = (False, False, False, False),
        norm_cfg: dict | None = None,
        norm_eval: bool = True,
        with_cp: bool = False,
        zero_init_residual: bool = True,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if depth not in ARCHITECTURES:
            raise UserError(f'ResNet has no depth {depth}; known are {sorted(ARCHITECTURES)}')
        if style not in ('pytorch', 'caffe'):
            raise UserError(f"style must be 'pytorch' or 'caffe', not {style!r}")
        if not 1 <= num_stages <= 4 or max(out_indices) >= num_stages:
            raise UserError(f'out_indices {out_indices} do not fit num_stages {num_stages}')
        kind, num_blocks = ARCHITECTURES[depth]
        if kind is BasicBlock and (groups > 1 or dcn):
            raise UserError(f'depth {depth} has no bottleneck blocks, which groups and dcn are for')
        super().__init__(init_cfg=init_cfg or SCRATCH_INIT)
        self.zero_init_residual = zero_init_residual and init_cfg is None
        self.out_indices = tuple(out_indices)
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

        self.conv1 = nn.Conv2d(3, base_channels, 7, stride=2, padding=3, bias=False)
        self.bn1 = norm(base_channels)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels = base_channels
        for index in range(num_stages):
            planes = base_channels * 2**index
            stride = 1 if index == 0 else 2
            out_channels = planes * kind.expansion
            stage = _stage(block, num_blocks[index], channels, planes, out_channels, stride)
            channels = out_channels
            for built in stage:
                if not isinstance(built, Bottleneck):
                    continue
                if style == 'caffe':
                    built.conv1.stride, built.conv2.stride = built.conv2.stride, built.conv1.stride
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
        """Return the features of `out_indices` for (B, 3, H, W) images, at strides 4 to 32."""
        feature = self.maxpool(self.relu(conv_norm(images, self.conv1, self.bn1)))
        features = []
        for index, name in enumerate(self.stages):
            stage = getattr(self, name)
            feature = self._recomputed(stage, feature) if self.with_cp else stage(feature)
            if index in self.out_indices:
                features.append(feature)
        return tuple(features)

    def _recomputed(self, stage: nn.Sequential, feature: Tensor) -> Tensor:
        for block in stage:
            is_trained = self.training and any(each.requires_grad for each in block.parameters())
            if not (is_trained and torch.is_grad_enabled()):
                feature = block(feature)
            elif torch.compiler.is_compiling():
                # It repeats nothing that changes statistics.
                feature = checkpoint(block, feature, use_reentrant=False)
            else:
                contexts = partial(_first_and_again, block)
                feature = checkpoint(block, feature, use_reentrant=False, context_fn=contexts)
        return feature

    def train(self, mode: bool = True) -> 'ResNet':
        """Set the mode, but keep frozen parts and, with `norm_eval`, batch norms as they are."""
        super().train(mode)
        self._freeze()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _freeze(self) -> None:
        frozen = [self.conv1, self.bn1] if self.frozen_stages >= 0 else []
        frozen += [getattr(self, name) for name in self.stages[: max(self.frozen_stages, 0)]]
        for module in frozen:
            module.eval()
            module.requires_grad_(False)


def _first_and_again(
    block: nn.Module,
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Return what is around a block's computation, and around its repetition for the gradient."""
    return nullcontext(), _statistics_kept(block)


@contextmanager
def _statistics_kept(block: nn.Module) -> Iterator[None]:
    """Let batch norms in training leave their statistics as they are: these have seen the batch."""
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]
    before = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, momentum, count in before:
            norm.momentum, norm.num_batches_tracked = momentum, count


def _stage(
    block: partial[BasicBlock | Bottleneck],
    num_blocks: int,
    channels: int,
    planes: int,
    out_channels: int,
    stride: int,
) -> nn.Sequential:
    """Return one stage: its first block strides, and projects the shortcut where it must."""
    blocks = []
    for index in range(num_blocks):
        step = stride if index == 0 else 1
        shortcut = None
        if step != 1 or channels != out_channels:
            shortcut = nn.Sequential(
                nn.Conv2d(channels, out_channels, 1, stride=step, bias=False),
                block.keywords['norm_layer'](out_channels),
            )
        blocks.append(block(channels, planes, step, shortcut))
        channels = out_channels
    return nn.Sequential(*blocks)


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
