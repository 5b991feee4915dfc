"""Swin Transformer (Liu et al., Hierarchical Vision Transformer using Shifted Windows, 2021).

Arguments, parameter names and their order are mmdetection's, so that its checkpoints load here and
ours there.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from mmcv.cnn import build_activation_layer, build_norm_layer
from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from mmdet.errors import UserError
from mmdet.registry import MODELS

from .recomputed import recomputed
from .swin_weights import of_backbone, resized_bias
from .windows import ShiftWindowMSA, WindowMSA


@MODELS.register_module()
class SwinTransformer(BaseModule):
    """Swin Transformer that returns the features of its stages, each after a norm of its own.

    Args:
        in_channels: of the images.
        embed_dims: channels of the first stage; each further stage doubles them.
        patch_size: side of the patches that become pixels of the first stage.
        window_size: side of the windows that attention is within.
        mlp_ratio: hidden channels of a block's perceptron, as a multiple of the stage's.
        depths: blocks of each stage; every second one shifts its windows.
        num_heads: heads of attention of each stage.
        out_indices: stages whose features are returned, from 0.
        qkv_bias: add a learned bias to queries, keys and values.
        qk_scale: of the queries; by default one over the root of a head's channels.
        patch_norm: a norm where patches are embedded and where they are merged.
        drop_rate: of the features, dropped in training.
        attn_drop_rate: of the attention weights, dropped in training.
        drop_path_rate: how often the last block is left out for an image in training; it grows
            from 0 in the first.
        act_cfg: activation of the perceptrons.
        norm_cfg: norm layer.
        with_cp: in training keep no features inside of blocks, and compute them again for the
            gradient: less memory, in more time.
        convert_weights: the weights of `init_cfg` are of Microsoft's repository.
        frozen_stages: the embedding and this many stages keep their weights; 0 freezes the
            embedding, -1 nothing.
        init_cfg: `dict(type='Pretrained', checkpoint=...)`; by default the weights are drawn.
    """

    # For the check of configs: what to do without arguments that mmdetection has beside these
    instead: ClassVar = dict(
        use_abs_pos_embed='leave it out: absolute positions fit images of one size',
        pretrain_img_size='leave it out: it is for absolute positions, which fit one size',
        strides='leave it out: patches are embedded at patch_size, and merged by 2 x 2',
        pretrained="set init_cfg=dict(type='Pretrained', checkpoint=...)",
    )

    def __init__(
        self,
        in_channels: int = 3,
        embed_dims: int = 96,
        patch_size: int = 4,
        window_size: int = 7,
        mlp_ratio: float = 4,
        depths: Sequence[int] = (2, 2, 6, 2),
        num_heads: Sequence[int] = (3, 6, 12, 24),
        out_indices: Sequence[int] = (0, 1, 2, 3),
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        patch_norm: bool = True,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.1,
        act_cfg: dict | None = None,
        norm_cfg: dict | None = None,
        with_cp: bool = False,
        convert_weights: bool = False,
        frozen_stages: int = -1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if len(depths) != len(num_heads):
            raise UserError(f'depths {depths} and num_heads {num_heads} are of other stages')
        if max(out_indices) >= len(depths):
            raise UserError(f'out_indices {out_indices} do not fit depths {depths}')
        if frozen_stages > len(depths):
            raise UserError(f'frozen_stages {frozen_stages} does not fit depths {depths}')
        channels = [embed_dims * 2**index for index in range(len(depths))]
        if any(width % heads for width, heads in zip(channels, num_heads, strict=True)):
            raise UserError(f'num_heads {num_heads} do not divide the channels {channels}')
        self.out_indices = tuple(out_indices)
        self.convert_weights = convert_weights
        self.frozen_stages = frozen_stages
        norm_cfg = norm_cfg or dict(type='LN')
        patch_norm_cfg = norm_cfg if patch_norm else None

        self.patch_embed = PatchEmbed(in_channels, embed_dims, patch_size, patch_norm_cfg)
        self.drop_after_pos = nn.Dropout(drop_rate)
        last = max(sum(depths) - 1, 1)
        drop_path_rates = (drop_path_rate * index / last for index in range(sum(depths)))
        self.stages = nn.ModuleList()
        for index, (width, heads) in enumerate(zip(channels, num_heads, strict=True)):
            blocks = nn.ModuleList(
                SwinBlock(
                    WindowMSA(
                        width, heads, window_size, qkv_bias, qk_scale, attn_drop_rate, drop_rate
                    ),
                    width,
                    int(mlp_ratio * width),
                    window_size,
                    shift_size=window_size // 2 if place % 2 else 0,
                    drop_rate=drop_rate,
                    drop_path_rate=next(drop_path_rates),
                    act_cfg=act_cfg or dict(type='GELU'),
                    norm_cfg=norm_cfg,
                )
                for place in range(depths[index])
            )
            is_last = index == len(depths) - 1
            merging = None if is_last else PatchMerging(width, 2 * width, patch_norm_cfg)
            self.stages.append(SwinStage(blocks, merging, with_cp))
        for index in self.out_indices:
            self.add_module(f'norm{index}', build_norm_layer(norm_cfg, channels[index])[1])
        self._freeze()

    def init_weights(self) -> None:
        """Draw weights as the paper does, or load those of `init_cfg`.

        Raises:
            UserError: they do not fit.
        """
        for name, parameter in self.named_parameters():
            if name.endswith('relative_position_bias_table'):
                nn.init.trunc_normal_(parameter, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        init_cfg = self.init_cfg
        if isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained':
            self._load(init_cfg['checkpoint'])
        else:
            super().init_weights()

    def _load(self, checkpoint: str) -> None:
        found = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
        weights = found.get('state_dict', found)
        weights = of_backbone(weights, convert=self.convert_weights, source=checkpoint)
        own = dict(self.named_parameters())
        for name in [name for name in weights if name.endswith('relative_position_bias_table')]:
            if name in own and len(weights[name]) != len(own[name]):
                weights[name] = resized_bias(weights[name], len(own[name]))
        # A classifier has no norms after its stages.
        missing = [name for name in own if name not in weights and not name.startswith('norm')]
        wrong = [name for name in own if name in weights and weights[name].shape != own[name].shape]
        if unfit := missing or wrong:
            reason = 'lacks' if missing else 'has another shape for'
            raise UserError(
                f'{checkpoint} does not fit this SwinTransformer: it {reason} {unfit[0]} and '
                f'{len(unfit) - 1} others; compare embed_dims, depths and num_heads'
            )
        unknown = [name for name in weights if name not in own]
        if unknown:
            print_log(f'{checkpoint}: {len(unknown)} weights are of no use here', 'current')
        self.load_state_dict(weights, strict=False)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return (B, C, H', W') features of `out_indices` for (B, in_channels, H, W) images.

        With patches of 4 they are at strides 4, 8, 16 and 32, rounded up.
        """
        feature = self.drop_after_pos(self.patch_embed(images))
        features = []
        for index, stage in enumerate(self.stages):
            assert isinstance(stage, SwinStage)
            feature = stage(feature)
            if index in self.out_indices:
                normed = self.get_submodule(f'norm{index}')(feature)
                features.append(normed.permute(0, 3, 1, 2).contiguous())
            if stage.downsample is not None:
                feature = stage.downsample(feature)
        return tuple(features)

    def train(self, mode: bool = True) -> 'SwinTransformer':
        """Set the mode, but keep frozen parts as they are."""
        super().train(mode)
        self._freeze()
        return self

    def _freeze(self) -> None:
        frozen: list[nn.Module] = []
        if self.frozen_stages >= 0:
            frozen += [self.patch_embed, self.drop_after_pos]
        for index in range(self.frozen_stages):
            frozen.append(self.stages[index])
            if index in self.out_indices:
                frozen.append(self.get_submodule(f'norm{index}'))
        for module in frozen:
            module.eval()
            module.requires_grad_(False)


class PatchEmbed(nn.Module):
    """Patches of an image as pixels of a feature; an image is padded at its right and bottom."""

    def __init__(
        self, in_channels: int, embed_dims: int, patch_size: int, norm_cfg: dict | None
    ) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.projection = nn.Conv2d(in_channels, embed_dims, patch_size, stride=patch_size)
        self.norm = build_norm_layer(norm_cfg, embed_dims)[1] if norm_cfg else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Return (B, H / patch_size, W / patch_size, C) for (B, in_channels, H, W) images."""
        height, width = images.shape[-2:]
        images = F.pad(images, (0, -width % self.patch_size, 0, -height % self.patch_size))
        return self.norm(self.projection(images).permute(0, 2, 3, 1))


class SwinStage(nn.Module):
    """Blocks at one resolution, and what makes the input of the next stage."""

    def __init__(
        self, blocks: nn.ModuleList, downsample: 'PatchMerging | None', with_cp: bool
    ) -> None:
        super().__init__()
        self.blocks = blocks
        self.downsample = downsample
        self.with_cp = with_cp

    def forward(self, feature: Tensor) -> Tensor:
        """Return (B, H, W, C) for a (B, H, W, C) feature, before `downsample`."""
        again = self.with_cp and self.training and torch.is_grad_enabled()
        for block in self.blocks:
            feature = recomputed(block, feature) if again else block(feature)
        return feature


class SwinBlock(nn.Module):
    """Attention within windows, then a perceptron, each after a norm and beside a shortcut."""

    def __init__(
        self,
        w_msa: WindowMSA,
        embed_dims: int,
        hidden: int,
        window_size: int,
        *,
        shift_size: int,
        drop_rate: float,
        drop_path_rate: float,
        act_cfg: dict,
        norm_cfg: dict,
    ) -> None:
        super().__init__()
        self.norm1 = build_norm_layer(norm_cfg, embed_dims)[1]
        self.attn = ShiftWindowMSA(w_msa, window_size, shift_size)
        self.norm2 = build_norm_layer(norm_cfg, embed_dims)[1]
        widen = nn.Sequential(
            nn.Linear(embed_dims, hidden), build_activation_layer(act_cfg), nn.Dropout(drop_rate)
        )
        layers = nn.Sequential(widen, nn.Linear(hidden, embed_dims), nn.Dropout(drop_rate))
        self.ffn = nn.ModuleDict(dict(layers=layers))  # mmdetection's name
        self.drop_path = StochasticDepth(drop_path_rate, mode='row')

    def forward(self, feature: Tensor) -> Tensor:
        """Return (B, H, W, C) for a (B, H, W, C) feature."""
        feature = feature + self.drop_path(self.attn(self.norm1(feature)))
        return feature + self.drop_path(self.ffn['layers'](self.norm2(feature)))


class PatchMerging(nn.Module):
    """Each 2 x 2 pixels as one, of more channels; an odd side is padded with zeros."""

    def __init__(self, in_channels: int, out_channels: int, norm_cfg: dict | None) -> None:
        super().__init__()
        merged = 4 * in_channels
        self.norm = build_norm_layer(norm_cfg, merged)[1] if norm_cfg else nn.Identity()
        self.reduction = nn.Linear(merged, out_channels, bias=False)

    def forward(self, feature: Tensor) -> Tensor:
        """Return (B, H / 2, W / 2, out_channels), rounded up, for a (B, H, W, C) feature."""
        height, width = feature.shape[1:3]
        feature = F.pad(feature, (0, 0, 0, width % 2, 0, height % 2))
        pixels = feature.unflatten(2, (-1, 2)).unflatten(1, (-1, 2))  # B, H/2, 2, W/2, 2, C
        merged = pixels.permute(0, 1, 3, 5, 2, 4).flatten(3)  # of each channel its four pixels
        return self.reduction(self.norm(merged))
