"""Matrix NMS (Wang et al., SOLOv2: Dynamic and Fast Instance Segmentation, 2020, section 3.3)."""

import torch
from torch import Tensor


def matrix_nms(
    masks: Tensor, labels: Tensor, scores: Tensor, *, kernel: str = 'gaussian', sigma: float = 2.0
) -> Tensor:
    """Decay each score by the overlap of its mask with better masks of the same class.

    Args:
        masks: (N, H, W) boolean masks, none of them empty.
        labels: (N,) class indices.
        scores: (N,) in [0, 1], sorted from high to low.
        kernel: `gaussian`, exp(-sigma iou^2), or `linear`, 1 - iou.
        sigma: sharpness of the gaussian kernel.

    Returns:
        (N,) decayed scores in the order of the input.
    """
    if kernel not in ('gaussian', 'linear'):
        raise ValueError(f"kernel must be 'gaussian' or 'linear', not {kernel!r}")
    if masks.dtype != torch.bool:
        raise TypeError(f'masks must be boolean, not {masks.dtype}')
    if not len(masks) == len(labels) == len(scores):
        raise ValueError(
            f'{len(masks)} masks, {len(labels)} labels and {len(scores)} scores: '
            'their numbers differ'
        )
    if len(masks) == 0:
        return scores.clone()
    flat = masks.flatten(1).float()
    area = flat.sum(1)
    intersection = flat @ flat.T
    iou = intersection / (area[:, None] + area - intersection)
    # Row i is a mask that scores better than column j's, of the same class; all else is zero.
    iou = (iou * (labels[:, None] == labels)).triu(diagonal=1)
    # How much the suppressor i is itself suppressed compensates what it does to j.
    compensation = iou.amax(0)[:, None]
    if kernel == 'gaussian':
        decay = torch.exp(-sigma * (iou**2 - compensation**2))
    else:
        decay = (1 - iou) / (1 - compensation)
    return scores * decay.amin(0)
