import pytest
import torch
import torch.nn.functional as F

from mmdet.errors import UserError
from mmdet.models.layers import DropBlock


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_a_tenth_is_dropped_in_blocks_and_the_sum_stays(dtype):
    feature = torch.ones(2, 256, 24, 24, dtype=dtype)
    dropped = DropBlock(0.1, 3)(feature)
    assert dropped.dtype == dtype
    zeros = dropped == 0
    assert 0.08 < zeros.float().mean() < 0.1  # blocks overlap
    assert dropped.double().sum() == pytest.approx(feature.numel(), rel=3e-3)
    # Each is in a block: what shrinks by a block and grows by one again is as it was.
    shrunk = 1 - F.max_pool2d(1 - zeros.float(), 3, stride=1)
    assert torch.equal(F.max_pool2d(F.pad(shrunk, [2] * 4), 3, stride=1), zeros.float())
    assert (feature == 1).all()


def test_in_inference_and_with_nothing_to_drop_the_feature_stays():
    feature = torch.ones(1, 4, 8, 8)
    assert DropBlock(0.1, 3).eval()(feature) is feature
    assert DropBlock(0, 3)(feature) is feature


def test_what_is_dropped_has_no_gradient():
    feature = torch.ones(1, 8, 12, 12, requires_grad=True)
    dropped = DropBlock(0.3, 3)(feature)
    dropped.sum().backward()
    assert torch.equal(feature.grad, dropped.detach())


@pytest.mark.parametrize('size', [1, 2])  # one pixel stands for no image at all
def test_a_feature_smaller_than_a_block(size):
    dropped = DropBlock(0.1, 3)(torch.ones(1, 400, size, size))
    assert dropped.isfinite().all() and 0.05 < (dropped == 0).float().mean() < 0.15


@pytest.mark.parametrize(
    'wrong', [dict(drop_prob=1.5, block_size=3), dict(drop_prob=0.1, block_size=4)]
)
def test_wrong_arguments(wrong):
    with pytest.raises(UserError, match=r'drop_prob 1\.5|block_size 4'):
        DropBlock(**wrong)
