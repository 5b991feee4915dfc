"""The model within what runs it in several processes, or on several views of an image."""

from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model inside of wrappers such as DistributedDataParallel; itself if in none."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        assert isinstance(model.module, nn.Module)
        model = model.module
    return model
