from torch import nn

from mmdet.engine.wrapper import unwrapped


def test_the_model_within_a_wrapper():
    model = nn.Linear(1, 1)
    assert unwrapped(nn.DataParallel(model)) is model
    assert unwrapped(model) is model
