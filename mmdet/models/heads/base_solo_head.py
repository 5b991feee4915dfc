"""The flow that all SOLO heads share.

SOLO (Wang et al., 2020, https://arxiv.org/abs/1912.04488), its decoupled variant and SOLOv2 divide
the image into S x S cells at each pyramid level. A cell predicts a category and a mask; the heads
differ only in how they draw the mask. Unlike the published code, masks are drawn only for cells
that need one: those that an instance claims in training, those that score in inference.

Shape letters: B images, L levels, C classes, S cells along a grid's side, P chosen cells,
F factors of a mask, (h, w) the size of a mask.
"""

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce, get_world_size
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmdet.errors import UserError
from mmdet.models.assigners import GridTargets, GroundTruth, assign_grid, gather_ground_truth
from mmdet.models.layers import conv_tower, reset_offsets
from mmdet.models.postprocess import DecodeConfig, decode
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample

from .features import resize_ends


@dataclass
class HeadOutputs:
    """What a head's `forward` computes for a batch.

    Attributes:
        cls_preds: (B, C, S, S) category logits of each level.
        mask_feats: for each level what the head's `cell_masks` draws from, image by image.
        mask_size: (h, w), a quarter of the padded input, at which masks are decoded.
    """

    cls_preds: list[Tensor]
    mask_feats: list[tuple]
    mask_size: tuple[int, int]


class BaseSOLOHead(BaseModule, metaclass=ABCMeta):
    """Category branch, targets, losses and decoding of a SOLO head.

    A subclass answers what the masks of given cells are: `init_mask_layers` builds what that
    takes, `mask_features` computes features, never all S * S masks, and `cell_masks` draws.

    Args:
        num_classes: C, without the background.
        in_channels: of every pyramid level.
        feat_channels: of the towers.
        stacked_convs: convolutions in a tower.
        strides: of the levels, in pixels of the input; an instance must cover more pixels at a
            quarter of the input than its level's stride to be detected.
        scale_ranges: sqrt(box area) in pixels that each level takes, both ends included.
        pos_scale: the part of the box, around the centre, whose cells are positive.
        num_grids: S of each level.
        cls_down_index: which convolution of the category tower runs on the S x S grid first.
        loss_mask: config of the mask loss.
        loss_cls: config of the category loss.
        norm_cfg: norm layer of the towers.
        dcn_cfg: deformable convolution in the towers, for example `dict(type='DCNv2')`.
        dcn_apply_to_all_conv: in all convolutions of a tower; False for the last alone. By
            default all, in a light head the last.
        train_cfg: must be empty; SOLO has no training settings of its own.
        test_cfg: fields of `DecodeConfig`.
        init_cfg: see mmengine's `BaseModule`; by default normal weights, and a prior probability
            of 0.01 in the predicting convolutions: few cells are positive, few pixels of a mask.
    """

    predicting_convs: tuple[str, ...] = ('conv_cls',)
    num_factors = 1
    is_light = False

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        feat_channels: int = 256,
        stacked_convs: int = 4,
        strides: Sequence[int] = (4, 8, 16, 32, 64),
        scale_ranges: Sequence[tuple[float, float]] = (
            (8, 32),
            (16, 64),
            (32, 128),
            (64, 256),
            (128, 512),
        ),
        pos_scale: float = 0.2,
        num_grids: Sequence[int] = (40, 36, 24, 16, 12),
        cls_down_index: int = 0,
        loss_mask: dict | None = None,
        loss_cls: dict | None = None,
        norm_cfg: dict | None = None,
        dcn_cfg: dict | None = None,
        dcn_apply_to_all_conv: bool | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg or self._normal_init())
        if not len(strides) == len(scale_ranges) == len(num_grids):
            raise UserError('strides, scale_ranges and num_grids differ in length')
        if not 0 <= cls_down_index < stacked_convs:
            raise UserError(f'cls_down_index {cls_down_index} is none of {stacked_convs} convs')
        if train_cfg:
            raise UserError(f'a SOLO head has no training settings, but got {train_cfg}')
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.feat_channels = feat_channels
        self.stacked_convs = stacked_convs
        self.strides = tuple(strides)
        self.scale_ranges = tuple(tuple(ends) for ends in scale_ranges)
        self.pos_scale = pos_scale
        self.num_grids = tuple(num_grids)
        self.cls_down_index = cls_down_index
        self.norm_cfg = norm_cfg or dict(type='GN', num_groups=32, requires_grad=True)
        self.dcn_cfg = dcn_cfg
        self.dcn_apply_to_all_conv = (
            not self.is_light if dcn_apply_to_all_conv is None else dcn_apply_to_all_conv
        )
        self.test_cfg = DecodeConfig(**(test_cfg or {}))
        one_factor = self.num_factors == 1
        self.loss_mask = MODELS.build(
            loss_mask or dict(type='DiceLoss', activate=one_factor, loss_weight=3.0)
        )
        if self.loss_mask.activate and not one_factor:
            raise UserError(
                f'a mask of {type(self).__name__} is a product of probabilities, which the loss '
                'must not activate again: set activate=False in loss_mask'
            )
        self.loss_cls = MODELS.build(loss_cls or dict(type='FocalLoss', gamma=2.0, alpha=0.25))
        self.cls_convs = self.tower(in_channels)
        self.conv_cls = nn.Conv2d(feat_channels, num_classes, 3, padding=1)
        self.init_mask_layers()

    def _normal_init(self) -> list[dict]:
        return [dict(type='Normal', layer='Conv2d', std=0.01)] + [
            dict(type='Normal', std=0.01, bias_prob=0.01, override=dict(name=name))
            for name in self.predicting_convs
        ]

    def init_weights(self) -> None:
        """Initialise as `init_cfg` says."""
        super().init_weights()
        reset_offsets(self)

    def tower(self, in_channels: int) -> nn.Sequential:
        """Return a tower of convolutions as the head's arguments describe it."""
        return conv_tower(
            in_channels,
            self.feat_channels,
            self.stacked_convs,
            norm_cfg=self.norm_cfg,
            dcn_cfg=self.dcn_cfg,
            dcn_apply_to_all_conv=self.dcn_apply_to_all_conv,
        )

    @abstractmethod
    def init_mask_layers(self) -> None:
        """Build the layers of the mask branch."""

    @abstractmethod
    def mask_features(self, feats: Sequence[Tensor], levels: Sequence[Tensor]) -> list[tuple]:
        """Compute for each level what `cell_masks` draws from.

        Args:
            feats: the (B, C, H, W) pyramid levels as the neck gives them, from stride 4 on.
            levels: the same at the head's own strides.
        """

    @abstractmethod
    def cell_masks(
        self, mask_feats: tuple, level: int, images: Sequence[int], cells: Sequence[Tensor]
    ) -> Tensor:
        """Draw the masks of some cells at one level.

        Args:
            mask_feats: the level's item of `mask_features`.
            level: index of the pyramid level.
            images: indices in the batch.
            cells: for each of these images, the cells' row * S + column. There may be none, and
                the result must still depend on every parameter of the mask branch, so that each
                of them gets a gradient at every step.

        Returns:
            (F, P, h, w) logits for all P cells, image after image; a mask is the product of its F
            factors' sigmoids.
        """

    @property
    def mask_strides(self) -> tuple[int, ...]:
        """The stride of each level's `cell_masks`, in pixels of the input."""
        return tuple(stride // 2 for stride in self.strides)

    def forward(self, feats: Sequence[Tensor]) -> HeadOutputs:
        """Compute what categories and masks follow from, given the (B, C, H, W) pyramid levels."""
        levels = resize_ends(feats)
        height, width = levels[0].shape[-2:]
        return HeadOutputs(
            cls_preds=[
                self.classify(level, num_grid)
                for level, num_grid in zip(levels, self.num_grids, strict=True)
            ],
            mask_feats=self.mask_features(feats, levels),
            mask_size=(2 * height, 2 * width),
        )

    def classify(self, feature: Tensor, num_grid: int) -> Tensor:
        """Return the (B, C, S, S) category logits of one level's feature."""
        for index, conv in enumerate(self.cls_convs):
            if index == self.cls_down_index:
                feature = F.interpolate(feature, size=(num_grid, num_grid), mode='bilinear')
            feature = conv(feature)
        return self.conv_cls(feature)

    def loss(
        self, feats: Sequence[Tensor], batch_data_samples: Sequence[DetDataSample]
    ) -> dict[str, Tensor]:
        """Return `loss_mask` and `loss_cls`, scalars.

        Both are normalised by the number of positive cells in the batches of all processes, so
        that N processes take the step that one would take with all their images.
        """
        image_size = batch_data_samples[0].batch_input_shape
        if any(side % 32 for side in image_size):
            raise UserError(
                f'a batch is padded to {image_size}, not a multiple of 32: '
                'set pad_size_divisor=32 in model.data_preprocessor'
            )
        outputs = self(feats)
        truth = gather_ground_truth(
            batch_data_samples, image_size=image_size, mask_strides=self.mask_strides
        )
        targets = assign_grid(
            truth,
            num_images=len(batch_data_samples),
            image_size=image_size,
            num_grids=self.num_grids,
            scale_ranges=self.scale_ranges,
            pos_scale=self.pos_scale,
            num_classes=self.num_classes,
        )
        num_pos = targets.wins.sum()
        all_reduce(num_pos)
        world_size = get_world_size()
        return dict(
            loss_mask=self.mask_loss(outputs, truth, targets) / (num_pos.clamp(min=1) / world_size),
            loss_cls=self.category_loss(outputs, targets) / ((num_pos + 1) / world_size),
        )

    def mask_terms(self, targets: GridTargets) -> Tensor:
        """Return the (P',) indices of the claims that the mask loss has a term for."""
        return targets.wins.nonzero()[:, 0]

    def mask_loss(self, outputs: HeadOutputs, truth: GroundTruth, targets: GridTargets) -> Tensor:
        """Return the sum of the mask loss over all terms."""
        chosen = self.mask_terms(targets)
        num_images, num_levels = len(targets.labels), len(self.num_grids)
        # Claims are sorted by level and image: cut them into a piece for each.
        group = targets.level[chosen] * num_images + targets.image[chosen]
        sizes = group.bincount(minlength=num_levels * num_images).tolist()
        cells = targets.cell[chosen].split(sizes)
        instances = targets.instance[chosen].split(sizes)
        losses = []
        # Levels without a positive take part: DDP wants a gradient for every parameter.
        for level, stride in enumerate(self.mask_strides):
            of_level = slice(level * num_images, (level + 1) * num_images)
            factors = self.cell_masks(
                outputs.mask_feats[level], level, range(num_images), cells[of_level]
            )
            masks = factors[0] if self.loss_mask.activate else factors.sigmoid().prod(0)
            wanted = truth.masks[stride][torch.cat(instances[of_level])]
            losses.append(self.loss_mask(masks, wanted))
        return torch.stack(losses).sum()

    def category_loss(self, outputs: HeadOutputs, targets: GridTargets) -> Tensor:
        """Return the sum of the category loss over all cells."""
        logits = torch.cat([pred.flatten(2) for pred in outputs.cls_preds], dim=2)
        logits = logits.transpose(1, 2).flatten(0, 1)  # (B * G, C), as `targets.labels`
        return self.loss_cls(logits, targets.labels.flatten())

    def predict(
        self, feats: Sequence[Tensor], batch_data_samples: Sequence[DetDataSample]
    ) -> list[InstanceData]:
        """Return each image's `scores`, `labels` and `masks`, best first, at its original size."""
        outputs = self(feats)
        return [
            decode(
                [pred[image].sigmoid() for pred in outputs.cls_preds],
                partial(self.cell_probabilities, outputs, image),
                strides=self.strides,
                mask_size=outputs.mask_size,
                img_shape=sample.img_shape[:2],
                ori_shape=sample.ori_shape[:2],
                cfg=self.test_cfg,
            )
            for image, sample in enumerate(batch_data_samples)
        ]

    def cell_probabilities(
        self, outputs: HeadOutputs, image: int, level: int, cells: Tensor
    ) -> Tensor:
        """Return the (P, h, w) probabilities of an image's cells at a quarter of the input."""
        factors = self.cell_masks(outputs.mask_feats[level], level, [image], [cells]).sigmoid()
        if factors.shape[-2:] != outputs.mask_size:
            # In the batch's dimension, which may be empty for `interpolate`, as cells may.
            maps = factors.flatten(0, 1)[:, None]
            maps = F.interpolate(maps, size=outputs.mask_size, mode='bilinear')
            factors = maps.view(*factors.shape[:2], *outputs.mask_size)
        return factors.prod(0)
