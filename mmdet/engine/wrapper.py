"""The model within what runs it in several processes, or on several views; and where it is."""

import torch
from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model inside of wrappers such as DistributedDataParallel; itself if in none."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        assert isinstance(model.module, nn.Module)
        model = model.module
    return model


def device_of(model: nn.Module) -> torch.device:
    """Return where a model's parameters are; the CPU if it has none, as an exported file."""
    return next((each.device for each in model.parameters()), torch.device('cpu'))
