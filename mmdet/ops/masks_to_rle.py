"""From mask probabilities at a quarter of the network's input to COCO RLE at the original size."""

import numpy as np
import torch
import torch.nn.functional as F
from pycocotools import mask as coco_mask
from torch import Tensor

from mmdet.structures.masks import RLEMasks

from ._extension import IS_LOADED
from ._first_use import checks_kernel, may_use_kernel

# Full-size float maps in work at one time; 2**24 of them are 64 MB.
_PIXELS_AT_ONCE = 2**24


def masks_to_rle(
    probabilities: Tensor,
    *,
    img_shape: tuple[int, int],
    ori_shape: tuple[int, int],
    threshold: float,
) -> RLEMasks:
    """Resize masks bilinearly to the input, cut off its padding, resize to the original, encode.

    The kernel gives what the reference gives, except where a probability lies within float32's
    rounding of the threshold. It draws the edges of the masks alone, and keeps no full-size mask.

    Args:
        probabilities: (N, h, w) in [0, 1], at a quarter of the padded input.
        img_shape: (height, width) of the image in the input, without padding.
        ori_shape: (height, width) of the original image, of less than 2**31 pixels.
        threshold: a pixel above it belongs to the mask.
    """
    if probabilities.dim() != 3 or 0 in probabilities.shape[1:]:
        raise ValueError(
            f'probabilities must be (N, h, w) with pixels, not {tuple(probabilities.shape)}'
        )
    if not probabilities.is_floating_point():
        raise ValueError(f'probabilities must be of floating point, not {probabilities.dtype}')
    for name, shape in (('img_shape', img_shape), ('ori_shape', ori_shape)):
        if len(shape) != 2 or min(shape) < 1:
            raise ValueError(f'{name} must be a positive (height, width), not {tuple(shape)}')
    if ori_shape[0] * ori_shape[1] >= 2**31:
        raise ValueError(f'ori_shape {tuple(ori_shape)} has more pixels than COCO can count')
    probabilities = probabilities.float()
    run = _by_kernel if may_use_kernel('masks_to_rle', probabilities) else masks_to_rle_reference
    return run(probabilities, img_shape=img_shape, ori_shape=ori_shape, threshold=threshold)


def _by_kernel(
    probabilities: Tensor,
    *,
    img_shape: tuple[int, int],
    ori_shape: tuple[int, int],
    threshold: float,
) -> RLEMasks:
    chars, lengths = torch.ops.mmdet_solo.masks_to_rle(
        probabilities, *img_shape, *ori_shape, threshold
    )
    rles = [
        dict(size=list(ori_shape), counts=part.numpy().tobytes())
        for part in chars.split(lengths.tolist())
    ]
    return RLEMasks(rles, *ori_shape)


def masks_to_rle_reference(
    probabilities: Tensor,
    *,
    img_shape: tuple[int, int],
    ori_shape: tuple[int, int],
    threshold: float,
) -> RLEMasks:
    """What `masks_to_rle` gives for float32, as PyTorch and pycocotools do it."""
    height, width = ori_shape
    input_size = [4 * side for side in probabilities.shape[-2:]]
    chunk = max(1, _PIXELS_AT_ONCE // max(height * width, input_size[0] * input_size[1]))
    rles: list[dict] = []
    for part in probabilities.split(chunk) if len(probabilities) else ():
        full = F.interpolate(part[None], size=input_size, mode='bilinear')
        full = full[:, :, : img_shape[0], : img_shape[1]]
        full = F.interpolate(full, size=ori_shape, mode='bilinear')[0] > threshold
        # COCO counts runs down the columns: it wants (height, width, N) in Fortran order.
        columns = np.asfortranarray(full.permute(1, 2, 0).cpu().numpy().astype(np.uint8))
        rles.extend(coco_mask.encode(columns))
    return RLEMasks(rles, height, width)


@checks_kernel('masks_to_rle')
def _check_kernel(device: torch.device) -> None:
    # Quarters, resized by 4 and by 2, are whole numbers of 1 / 4096: no rounding, and none of them
    # is near the threshold.
    probabilities = (torch.arange(3 * 8 * 7, device=device) * 3 % 5 / 4).view(3, 8, 7)
    case = dict(img_shape=(30, 26), ori_shape=(60, 52), threshold=0.3)
    found = _by_kernel(probabilities, **case).rles
    if found != masks_to_rle_reference(probabilities, **case).rles:
        raise AssertionError('other masks')


if IS_LOADED:

    @torch.library.register_fake('mmdet_solo::masks_to_rle')
    def _(
        probabilities: Tensor,
        img_height: int,
        img_width: int,
        ori_height: int,
        ori_width: int,
        threshold: float,
    ) -> tuple[Tensor, Tensor]:
        """Characters of all masks in one row, and how many are each mask's: both on the CPU."""
        length = torch.library.get_ctx().new_dynamic_size()
        chars = probabilities.new_empty(length, dtype=torch.uint8, device='cpu')
        lengths = probabilities.new_empty(len(probabilities), dtype=torch.int64, device='cpu')
        return chars, lengths
