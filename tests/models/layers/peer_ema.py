"""Averages by mmdetection 3.3's `ExpMomentumEMA`; see `tests/peer.py`."""

import numpy as np
import torch
from torch import nn


def answer(arguments: dict) -> list[np.ndarray]:
    return averages(**arguments)


def averages(**arguments: object) -> list[np.ndarray]:
    """Return what a weight's and a running mean's average are after each of 12 steps."""
    from mmengine.registry import MODELS

    model = nn.BatchNorm1d(2)
    average = MODELS.build(dict(type='mmdet.ExpMomentumEMA', model=model, **arguments))
    found = []
    for step in range(12):
        model.weight.data.copy_(torch.tensor([1.0, -2.0]) * (step + 1))
        model.running_mean.fill_(step)
        average.update_parameters(model)
        state = average.module.state_dict()
        found.append(torch.cat([state['weight'], state['running_mean']]).numpy().copy())
    return found
