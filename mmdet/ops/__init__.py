"""The operations that SOLO is made of, each as pure functions of tensors."""

from ._extension import warn_of_slow_ops
from .conv3x3 import conv3x3, conv3x3_levels
from .dice_loss import dice_loss
from .focal_loss import sigmoid_focal_loss
from .group_norm_relu import group_norm_relu
from .masks_to_rle import masks_to_rle
from .matrix_nms import matrix_nms
from .recompute import can_be_recomputed, recomputes

__all__ = [
    'can_be_recomputed',
    'conv3x3',
    'conv3x3_levels',
    'dice_loss',
    'group_norm_relu',
    'masks_to_rle',
    'matrix_nms',
    'recomputes',
    'sigmoid_focal_loss',
    'warn_of_slow_ops',
]
