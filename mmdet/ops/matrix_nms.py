"""Matrix NMS (Wang et al., SOLOv2: Dynamic and Fast Instance Segmentation, 2020, section 3.3)."""

import torch
from torch import Tensor

from ._extension import IS_LOADED
from ._first_use import checks_kernel, may_use_kernel


def matrix_nms(
    masks: Tensor, labels: Tensor, scores: Tensor, *, kernel: str = 'gaussian', sigma: float = 2.0
) -> Tensor:
    """Decay each score by the overlap of its mask with better masks of the same class.

    An empty mask overlaps nothing. No gradient flows to the scores.

    Args:
        masks: (N, H, W) boolean masks.
        labels: (N,) class indices.
        scores: (N,) in [0, 1], sorted from high to low.
        kernel: `gaussian`, exp(-sigma iou^2), or `linear`, 1 - iou.
        sigma: sharpness of the gaussian kernel, not negative.

    Returns:
        (N,) decayed scores in the order of the input, in float32.
    """
    if kernel not in ('gaussian', 'linear'):
        raise ValueError(f"kernel must be 'gaussian' or 'linear', not {kernel!r}")
    if sigma < 0:
        raise ValueError(f'sigma must not be negative, as {sigma} is')
    if masks.dtype != torch.bool:
        raise ValueError(f'masks must be boolean, not {masks.dtype}')
    if labels.is_floating_point():
        raise ValueError(f'labels must be integers, not {labels.dtype}')
    if not scores.is_floating_point():
        raise ValueError(f'scores must be of floating point, not {scores.dtype}')
    if masks.ndim != 3:
        raise ValueError(f'masks must be (N, H, W), not {tuple(masks.shape)}')
    for name, tensor in (('labels', labels), ('scores', scores)):
        if tensor.shape != masks.shape[:1]:
            raise ValueError(f'{name} {tuple(tensor.shape)} do not fit {len(masks)} masks')
        if tensor.device != masks.device:
            raise ValueError(f'{name} are on {tensor.device}, but masks on {masks.device}')
    scores = scores.detach().float()
    if may_use_kernel('matrix_nms', masks):
        return torch.ops.mmdet_solo.matrix_nms(masks, labels.long(), scores, kernel, sigma)
    return matrix_nms_reference(masks, labels, scores, kernel=kernel, sigma=sigma)


def matrix_nms_reference(
    masks: Tensor, labels: Tensor, scores: Tensor, *, kernel: str = 'gaussian', sigma: float = 2.0
) -> Tensor:
    """Return what `matrix_nms` does, the way the paper writes it."""
    if len(masks) == 0:
        return scores.clone()
    flat = masks.flatten(1).float()
    area = flat.sum(1)
    intersection = flat @ flat.T
    iou = intersection / (area[:, None] + area - intersection).clamp(min=1)
    # Row i is a mask that scores better than column j's, of the same class; all else is zero.
    iou = (iou * (labels[:, None] == labels)).triu(diagonal=1)
    # How much the suppressor i is itself suppressed compensates what it does to j.
    compensation = iou.amax(0)[:, None]
    if kernel == 'gaussian':
        decay = torch.exp(-sigma * (iou**2 - compensation**2))
    else:
        # A copy of a better mask, compensated in full, says nothing that the better one does not.
        decay = (1 - iou) / (1 - compensation).clamp(min=torch.finfo(iou.dtype).tiny)
    return scores * decay.amin(0)


@checks_kernel('matrix_nms')
def _check_kernel(device: torch.device) -> None:
    pixels = torch.arange(13 * 37, device=device).view(13, 37)
    sizes = torch.arange(20, device=device)[:, None, None]
    masks = pixels * (sizes + 3) % 101 < 5 * sizes  # the first is empty
    labels, scores = torch.arange(20, device=device) % 3, torch.linspace(1, 0.1, 20, device=device)
    for kernel in ('gaussian', 'linear'):
        torch.testing.assert_close(
            torch.ops.mmdet_solo.matrix_nms(masks, labels, scores, kernel, 2.0),
            matrix_nms_reference(masks, labels, scores, kernel=kernel, sigma=2.0),
        )


if IS_LOADED:

    @torch.library.register_fake('mmdet_solo::matrix_nms')
    def _(masks: Tensor, labels: Tensor, scores: Tensor, kernel: str, sigma: float) -> Tensor:
        return scores.new_empty(scores.shape)
