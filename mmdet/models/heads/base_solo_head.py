"""The flow that all SOLO heads share.

SOLO (Wang et al., 2020, https://arxiv.org/abs/1912.04488), its decoupled variant and SOLOv2 divide
the image into S x S cells at each pyramid level. A cell predicts a category and a mask; the heads
differ only in how they draw the mask. Unlike the published code, masks are drawn only for cells
that need one: those that an instance claims in training, those that score in inference.

Shape letters: B images, L levels, C classes, S cells along a grid's side, P chosen cells,
F factors of a mask, (h, w) the size of a mask.
"""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce, get_world_size
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmdet.errors import UserError
from mmdet.models.assigners import (
    GridTargets,
    LevelClaims,
    assign_grid,
    gather_ground_truth,
    split_claims,
)
from mmdet.models.layers import Conv3x3, conv_tower, of_levels, reset_offsets
from mmdet.models.postprocess import DecodeConfig, decode
from mmdet.models.views import View
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample

from .features import (
    check_padding,
    check_pyramid,
    flatten_cells,
    product,
    resize_ends,
    resize_maps,
)
from .outputs import HeadOutputs


class BatchTargets(NamedTuple):
    """What a batch is to learn.

    Attributes:
        labels: (B, G) of the G cells of all levels; C for the background.
        masks: (T, h, w) of the batch's instances, by stride.
        learnt: for each level the claims whose masks are learnt.
    """

    labels: Tensor
    masks: dict[int, Tensor]
    learnt: list[LevelClaims]


@dataclass(eq=False, repr=False, kw_only=True)  # equality and repr stay `nn.Module`'s
class BaseSOLOHead(BaseModule, metaclass=ABCMeta):
    """Category branch, targets, losses and decoding of a SOLO head.

    A subclass builds the layers of its mask branch in `__post_init__`, computes with them in
    `mask_source` what masks are drawn from, never all S * S masks, and draws in `cell_masks`.

    The mask branch works image by image and level by level: it is computed for those images alone
    of which a mask is wanted at that level.

    Heads are dataclasses: each argument is a field, written once, in the class that introduces
    it, and the signature of a subclass names its own and all that it inherits.

    Args:
        num_classes: C, without the background.
        in_channels: of every pyramid level.
        feat_channels: of the towers.
        stacked_convs: convolutions in a tower.
        strides: of the levels once `resize_ends` has resized them, in pixels of the input; an
            instance must cover more pixels at a quarter of the input than its level's stride to
            be detected.
        scale_ranges: sqrt(box area) in pixels that each level takes, both ends included.
        pos_scale: the part of the box, around the centre, whose cells are positive.
        num_grids: S of each level.
        cls_down_index: which convolution of the category tower runs on the S x S grid first.
        loss_mask: config of the mask loss.
        loss_cls: config of the category loss.
        norm_cfg: norm layer of the towers; by default group norm with 32 groups.
        dcn_cfg: deformable convolution in the towers, for example `dict(type='DCNv2')`.
        dcn_apply_to_all_conv: in all convolutions of a tower; False for the last alone.
        train_cfg: must be empty; SOLO has no training settings of its own.
        test_cfg: fields of `DecodeConfig`.
        init_cfg: see mmengine's `BaseModule`; by default normal weights, and a prior probability
            of 0.01 in the predicting convolutions: few cells are positive, few pixels of a mask.

    Raises:
        UserError: an argument has a value that the head cannot work with.
    """

    num_classes: int
    in_channels: int
    feat_channels: int = 256
    stacked_convs: int = 4
    strides: Sequence[int] = (8, 8, 16, 32, 32)
    scale_ranges: Sequence[Sequence[float]] = ((8, 32), (16, 64), (32, 128), (64, 256), (128, 512))
    pos_scale: float = 0.2
    num_grids: Sequence[int] = (40, 36, 24, 16, 12)
    cls_down_index: int = 0
    loss_mask: dict | None = None
    loss_cls: dict | None = None
    norm_cfg: dict | None = None
    dcn_cfg: dict | None = None
    dcn_apply_to_all_conv: bool = True
    train_cfg: dict | None = None
    test_cfg: dict | None = None
    init_cfg: dict | list[dict] | None = None

    # What a subclass says of its masks; `mask_strides` of each level, in pixels of the input.
    predicting_convs: ClassVar[tuple[str, ...]] = ('conv_cls',)
    num_factors: ClassVar[int] = 1
    mask_strides: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        super().__init__(init_cfg=self.init_cfg or _normal_init(self.predicting_convs))
        self._check_arguments()
        self.decode_cfg = DecodeConfig(**(self.test_cfg or {}))
        self.category_loss = MODELS.build(
            self.loss_cls or dict(type='FocalLoss', gamma=2.0, alpha=0.25)
        )
        one_factor = self.num_factors == 1
        self.mask_loss = MODELS.build(
            self.loss_mask or dict(type='DiceLoss', activate=one_factor, loss_weight=3.0)
        )
        if self.mask_loss.activate and not one_factor:
            raise UserError(
                f'a mask of {type(self).__name__} is a product of probabilities, which the loss '
                'must not activate again: set activate=False in loss_mask'
            )
        self.cls_convs = self.tower(self.in_channels)
        self.conv_cls = Conv3x3(self.feat_channels, self.num_classes, 3, padding=1)

    def _check_arguments(self) -> None:
        if not len(self.strides) == len(self.scale_ranges) == len(self.num_grids):
            raise UserError('strides, scale_ranges and num_grids differ in length')
        if len(self.strides) < 2:
            raise UserError('a SOLO head needs two levels or more: strides names them')
        if not 0 <= self.cls_down_index < self.stacked_convs:
            raise UserError(
                f'cls_down_index {self.cls_down_index} is none of {self.stacked_convs} convs'
            )
        if self.train_cfg:
            raise UserError(f'a SOLO head has no training settings, but got {self.train_cfg}')

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
            norm_cfg=self.norm_cfg or dict(type='GN', num_groups=32, requires_grad=True),
            dcn_cfg=self.dcn_cfg,
            dcn_apply_to_all_conv=self.dcn_apply_to_all_conv,
        )

    @abstractmethod
    def mask_source(self, outputs: HeadOutputs, level: int, images: Sequence[int]) -> tuple:
        """Compute what `cell_masks` draws from.

        Args:
            outputs: of `forward`.
            level: index of the pyramid level.
            images: indices in the batch. There may be none: then a pixel stands for one image.
        """

    @abstractmethod
    def cell_masks(self, source: tuple, level: int, cells: Sequence[Tensor]) -> Tensor:
        """Draw the masks of some cells at one level.

        Args:
            source: the `mask_source` of the level for some images.
            level: index of the pyramid level.
            cells: for each of these images, the cells' row * S + column, on the host, where it is
                known which they are. There may be none, and the result must still depend on every
                parameter of the mask branch, so that each of them gets a gradient at every step.

        Returns:
            (F, P, h, w) logits for all P cells, image after image; a mask is the product of its F
            factors' sigmoids.
        """

    def learnt_claims(self, targets: GridTargets) -> Tensor:
        """Return the (P',) indices of the claims whose masks are learnt: here the winning ones."""
        return targets.wins.nonzero()[:, 0]

    def forward(self, feats: Sequence[Tensor]) -> HeadOutputs:
        """Compute what categories and masks follow from, given the (B, C, H, W) pyramid levels."""
        if len(feats) != len(self.num_grids):
            raise UserError(
                f'the head has {len(self.num_grids)} levels, but the neck gives {len(feats)}: '
                'set num_outs in model.neck'
            )
        levels = resize_ends(feats)
        height, width = levels[0].shape[-2:]
        return HeadOutputs(
            cls_preds=self.classify(levels),
            feats=feats,
            levels=levels,
            mask_size=(2 * height, 2 * width),
        )

    def classify(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Return the (B, C, S, S) category logits of each level."""
        features = list(levels)
        for index, block in enumerate(self.cls_convs):
            if index == self.cls_down_index:
                features = [
                    F.interpolate(feature, size=(num_grid, num_grid), mode='bilinear')
                    for feature, num_grid in zip(features, self.num_grids, strict=True)
                ]
            features = of_levels(block, features)
        return of_levels(self.conv_cls, features)

    def learnt_masks(
        self,
        outputs: HeadOutputs,
        images: Sequence[Sequence[int]],
        cells: Sequence[Sequence[Tensor]],
    ) -> Iterable[Tensor]:
        """Draw the masks that a batch learns, level by level: what `cell_masks` returns, of each.

        What a level's are drawn from is let go of before the next one's is computed.

        Args:
            outputs: of `forward`.
            images: for each level, the indices of those of which masks are drawn.
            cells: for each level, the cells of each of these images; see `cell_masks`.
        """
        for level, (chosen, of_images) in enumerate(zip(images, cells, strict=True)):
            yield self.cell_masks(self.mask_source(outputs, level, chosen), level, of_images)

    def source(self, outputs: HeadOutputs, level: int, images: Sequence[int]) -> tuple:
        """Return the `mask_source` of some images, computed when it is first asked for."""
        return outputs.once((level, *images), lambda: self.mask_source(outputs, level, images))

    def loss(
        self,
        feats: Sequence[Tensor],
        batch_data_samples: Sequence[DetDataSample],
        targets: BatchTargets | None = None,
    ) -> dict[str, Tensor]:
        """Return `loss_mask` and `loss_cls`, scalars.

        Both are normalised by the number of positive cells in the batches of all processes, so
        that N processes take the step that one would take with all their images.

        Args:
            feats: the (B, C, H, W) pyramid levels.
            batch_data_samples: with the annotations of the B images.
            targets: of these samples, where they were computed before.
        """
        targets = targets or self.targets(batch_data_samples)
        check_pyramid(feats, batch_data_samples[0].batch_input_shape)
        outputs = self(feats)
        num_pos = (targets.labels < self.num_classes).sum()
        all_reduce(num_pos)
        world_size = get_world_size()
        loss_mask = self.total_mask_loss(outputs, targets)
        loss_cls = self.category_loss(flatten_cells(outputs.cls_preds), targets.labels.flatten())
        return dict(
            loss_mask=loss_mask / (num_pos.clamp(min=1) / world_size),
            loss_cls=loss_cls / ((num_pos + 1) / world_size),
        )

    def targets(self, batch_data_samples: Sequence[DetDataSample]) -> BatchTargets:
        """Return the ground truth of a batch, and which cells learn it."""
        image_size = batch_data_samples[0].batch_input_shape
        check_padding(image_size)
        truth = gather_ground_truth(
            batch_data_samples, image_size=image_size, mask_strides=self.mask_strides
        )
        grid = assign_grid(
            truth,
            num_images=len(batch_data_samples),
            image_size=image_size,
            num_grids=self.num_grids,
            scale_ranges=self.scale_ranges,
            pos_scale=self.pos_scale,
            num_classes=self.num_classes,
        )
        device = truth.masks[self.mask_strides[0]].device
        learnt = split_claims(
            grid, self.learnt_claims(grid), num_levels=len(self.num_grids), device=device
        )
        return BatchTargets(grid.labels.to(device, non_blocking=True), truth.masks, learnt)

    def total_mask_loss(self, outputs: HeadOutputs, targets: BatchTargets) -> Tensor:
        """Return the sum of the mask loss over all claims that are learnt."""
        all_at_once = tuple(range(len(targets.labels))) if self.mixes_images() else None
        needed = [
            claims.images if all_at_once is None else all_at_once for claims in targets.learnt
        ]
        # A level that no image needs takes part: DDP wants a gradient for every parameter.
        cells = [
            [claims.cells[image] for image in images or [0]]
            for claims, images in zip(targets.learnt, needed, strict=True)
        ]
        losses = map(
            partial(self.level_mask_loss, targets),
            range(len(needed)),
            self.learnt_masks(outputs, needed, cells),
        )
        return torch.stack(list(losses)).sum()

    def level_mask_loss(self, targets: BatchTargets, level: int, factors: Tensor) -> Tensor:
        """Return the sum of the mask loss over a level's claims, given the masks' factors."""
        claims = targets.learnt[level]
        if not claims.images:
            return factors.sum()  # 0
        masks = factors[0] if self.mask_loss.activate else product(factors.sigmoid())
        wanted = targets.masks[self.mask_strides[level]][claims.instances]
        return self.mask_loss(masks, wanted)

    def mixes_images(self) -> bool:
        """Return whether an image's masks depend on the others': with a batch norm, in training."""
        return self.training and any(isinstance(layer, _BatchNorm) for layer in self.modules())

    def predict(
        self, feats: Sequence[Tensor], batch_data_samples: Sequence[DetDataSample]
    ) -> list[InstanceData]:
        """Return each image's `scores`, `labels` and `masks`, best first, at its original size."""
        return [
            decode(
                view.scores,
                view.draw,
                strides=view.strides,
                mask_size=view.mask_size,
                img_shape=view.img_shape,
                ori_shape=sample.ori_shape[:2],
                cfg=self.decode_cfg,
            )
            for view, sample in zip(
                self.views(feats, batch_data_samples), batch_data_samples, strict=True
            )
        ]

    def views(
        self, feats: Sequence[Tensor], batch_data_samples: Sequence[DetDataSample]
    ) -> list[View]:
        """Return what is to be decoded of each image."""
        outputs = self(feats)
        return [
            View(
                scores=[pred[image].sigmoid() for pred in outputs.cls_preds],
                draw=partial(self.cell_probabilities, outputs, image),
                strides=self.strides,
                mask_size=outputs.mask_size,
                img_shape=sample.img_shape[:2],
            )
            for image, sample in enumerate(batch_data_samples)
        ]

    def cell_probabilities(
        self, outputs: HeadOutputs, image: int, level: int, cells: Tensor
    ) -> Tensor:
        """Return the (P, h, w) probabilities of an image's cells at a quarter of the input.

        The cells are on the host.
        """
        factors = self.cell_masks(self.source(outputs, level, [image]), level, [cells])
        return product(resize_maps(factors.sigmoid(), outputs.mask_size))


def _normal_init(predicting_convs: Sequence[str]) -> list[dict]:
    """Return an `init_cfg` of normal weights, with a prior probability in some convolutions."""
    return [dict(type='Normal', layer='Conv2d', std=0.01)] + [
        dict(type='Normal', std=0.01, bias_prob=0.01, override=dict(name=name))
        for name in predicting_convs
    ]
