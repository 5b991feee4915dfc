"""Averages of a model's weights, for `EMAHook`."""

import math

import torch
from mmengine.model import ExponentialMovingAverage
from torch import Tensor, nn

from mmdet.errors import UserError
from mmdet.registry import MODELS


@MODELS.register_module()
class ExpMomentumEMA(ExponentialMovingAverage):
    """The average of YOLOX, which follows the model closely at first.

    At update t from 0 the average moves by `m = (1 - momentum) * exp(-(1 + t) / gamma) + momentum`
    of the way to the model's weights.

    Args:
        model: the model to average; `EMAHook` hands it in.
        momentum: what `m` falls to, in (0, 1); the larger, the faster the average follows.
        gamma: in how many updates `m` falls to a third of what it began with; positive.
        interval: average after each so many steps.
        device: where to keep the average; by default beside the model.
        update_buffers: average running statistics, too, in the place of copying them.

    Raises:
        UserError: `momentum` or `gamma` is out of its range.
    """

    def __init__(
        self,
        model: nn.Module,
        momentum: float = 0.0002,
        gamma: int = 2000,
        interval: int = 1,
        device: torch.device | None = None,
        update_buffers: bool = False,
    ) -> None:
        if not 0 < momentum < 1:
            raise UserError(f'ExpMomentumEMA: momentum={momentum} is not between 0 and 1')
        if gamma <= 0:
            raise UserError(f'ExpMomentumEMA: gamma={gamma} is not positive')
        super().__init__(model, momentum, interval, device, update_buffers)
        self.gamma = gamma

    def avg_func(self, averaged_param: Tensor, source_param: Tensor, steps: int) -> None:
        """Move an average, in place.

        Args:
            averaged_param: the average.
            source_param: the model's, of the same shape.
            steps: how many updates there were.
        """
        momentum = (1 - self.momentum) * math.exp(-(1 + int(steps)) / self.gamma) + self.momentum
        averaged_param.lerp_(source_param, momentum)
