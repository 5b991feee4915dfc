"""From mask probabilities at a quarter of the network's input to COCO RLE at the original size."""

import numpy as np
import torch.nn.functional as F
from pycocotools import mask as coco_mask
from torch import Tensor

from mmdet.structures.masks import RLEMasks

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

    Args:
        probabilities: (N, h, w) in [0, 1], at a quarter of the padded input.
        img_shape: (height, width) of the image in the input, without padding.
        ori_shape: (height, width) of the original image.
        threshold: a pixel above it belongs to the mask.
    """
    height, width = ori_shape
    input_size = [4 * side for side in probabilities.shape[-2:]]
    chunk = max(1, _PIXELS_AT_ONCE // max(height * width, input_size[0] * input_size[1]))
    rles = []
    for part in probabilities.split(chunk) if len(probabilities) else ():
        full = F.interpolate(part[None], size=input_size, mode='bilinear')
        full = full[:, :, : img_shape[0], : img_shape[1]]
        full = F.interpolate(full, size=ori_shape, mode='bilinear')[0] > threshold
        # COCO counts runs down the columns: it wants (height, width, N) in Fortran order.
        columns = np.asfortranarray(full.permute(1, 2, 0).cpu().numpy().astype(np.uint8))
        rles.extend(coco_mask.encode(columns))
    return RLEMasks(rles, height, width)
