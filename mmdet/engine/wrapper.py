"""The model within what runs it in several processes."""

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model inside of a wrapper such as DistributedDataParallel; itself if in none."""
    if not is_model_wrapper(model):
        return model
    assert isinstance(model.module, nn.Module)
    return model.module
