"""What the heads do to features, as pure functions."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmdet.errors import UserError
from mmdet.models.memory_format import is_channels_last
from mmdet.ops import recomputes


def apply_rows(rows: Sequence[Tensor], features: Sequence[Tensor]) -> Tensor:
    """Apply to each image's feature 1 x 1 convolutions of its own.

    Args:
        rows: for each image, (P_i, C) weights.
        features: for each image, (C, h, w).

    Returns:
        (P, h, w) maps, image after image.
    """
    maps = []
    for weights, feature in zip(rows, features, strict=True):
        with recomputes(feature):
            maps.append(weights @ feature.flatten(1))
    every = maps[0] if len(maps) == 1 else torch.cat(maps)  # which would copy the one
    return every.unflatten(1, features[0].shape[-2:])


def each_image(feature: Tensor) -> tuple[Tensor, ...]:
    """Return the (C, H, W) feature of each image of a (B, C, H, W) batch."""
    every, back = _unbind(feature)
    return tuple(image.permute(back) for image in every)


def choose_images(feature: Tensor, images: Sequence[int]) -> Tensor:
    """Return the (B', C, H, W) features of some images of a (B, C, H, W) batch.

    Of no image there is a single pixel, (1, C, 1, 1), of which layers give every parameter its
    gradient, at no cost.
    """
    if not images:
        return feature[:1, :, :1, :1]
    if list(images) == list(range(len(feature))):
        return feature
    # Indexing would need the indices on the feature's device.
    every, back = _unbind(feature)
    chosen = torch.stack([every[image] for image in images])
    return chosen.permute(0, *(1 + axis for axis in back))


def _unbind(feature: Tensor) -> tuple[tuple[Tensor, ...], tuple[int, int, int]]:
    """Return each image in the order that it has in memory, and what permutes it to (C, H, W).

    Indexing image by image would give each a gradient of the whole batch's size. Stacking, which is
    also how the gradients of unbound images become the batch's, knows no memory format: of images
    channels last it would make a batch that is not, and each layer to come would turn it round.
    """
    if is_channels_last(feature):
        return feature.permute(0, 2, 3, 1).unbind(), (2, 0, 1)
    return feature.unbind(), (0, 1, 2)


def check_padding(image_size: tuple[int, int]) -> None:
    """Check the (height, width) that a batch was padded to.

    Raises:
        UserError: a side is no multiple of 32.
    """
    if any(side % 32 for side in image_size):
        raise UserError(
            f'a batch is padded to {image_size}, not a multiple of 32: '
            'set pad_size_divisor=32 in model.data_preprocessor'
        )


def check_pyramid(feats: Sequence[Tensor], image_size: tuple[int, int]) -> None:
    """Check that a pyramid fits the padded input of `image_size`, (height, width).

    Raises:
        UserError: the first level is not at stride 4.
    """
    found = tuple(feats[0].shape[-2:])
    if found != tuple(side // 4 for side in image_size):
        raise UserError(
            f'the first level of the pyramid is {found} for an input of {tuple(image_size)}, '
            'not a quarter of it: see out_indices in model.backbone and start_level in model.neck'
        )


def resize_ends(feats: Sequence[Tensor]) -> list[Tensor]:
    """Halve the first level and bring the last to the size of the one before it."""
    first = F.interpolate(feats[0], scale_factor=0.5, mode='bilinear')
    last = F.interpolate(feats[-1], size=feats[-2].shape[-2:], mode='bilinear')
    return [first, *feats[1:-1], last]


def resized_strides(num_levels: int) -> tuple[int, ...]:
    """Return the strides, in pixels of the input, that `resize_ends` leaves a pyramid with.

    The pyramid's own are 4, 8, 16 and so on.

    Args:
        num_levels: at least 2.

    Examples:
        >>> resized_strides(5)
        (8, 8, 16, 32, 32)
    """
    strides = [4 * 2**level for level in range(num_levels)]
    return (2 * strides[0], *strides[1:-1], strides[-2])


def doubled_levels_strides(strides: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of masks that are drawn at double the size of a head's levels.

    Args:
        strides: that the head was told its levels have, in pixels of the input.

    Raises:
        UserError: they are not those that its levels have.
    """
    actual = resized_strides(len(strides))
    if tuple(strides) != actual:
        raise UserError(
            f'strides must be {list(actual)}, where {len(actual)} levels of a pyramid from stride '
            f'4 on stand once the head has resized the first and the last, not {list(strides)}'
        )
    return tuple(stride // 2 for stride in actual)


def resize_maps(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (F, P, h, w) maps bilinearly to `size`; F and P may be 0, which stays."""
    if maps.shape[-2:] == size:
        return maps
    # In the batch's dimension, which alone may be empty for `interpolate`.
    stacked = F.interpolate(maps.flatten(0, 1)[:, None], size=size, mode='bilinear')
    return stacked.view(*maps.shape[:2], *size)


def product(factors: Tensor) -> Tensor:
    """Return the (P, h, w) masks of which (F, P, h, w) are the factors."""
    # `prod` would copy the one that there is.
    return factors[0] if len(factors) == 1 else factors.prod(0)


def flatten_cells(cls_preds: Sequence[Tensor]) -> Tensor:
    """Return the (B * G, C) logits of the G cells of all levels, from (B, C, S, S) for each."""
    logits = torch.cat([pred.flatten(2) for pred in cls_preds], dim=2)
    return logits.transpose(1, 2).flatten(0, 1)
