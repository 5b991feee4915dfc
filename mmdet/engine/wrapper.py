"""The model within what runs it in several processes, and where it is."""

import torch
from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model inside of a wrapper such as DistributedDataParallel; itself if in none."""
    if not is_model_wrapper(model):
        return model
    assert isinstance(model.module, nn.Module)
    return model.module


def device_of(model: nn.Module) -> torch.device:
    """Return where a model's parameters are; the CPU if it has none, as an exported file."""
    return next((each.device for each in model.parameters()), torch.device('cpu'))
