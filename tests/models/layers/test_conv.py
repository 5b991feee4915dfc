import pytest
import torch

from mmdet.models.layers import Conv3x3, DeformConv2d, conv_block, conv_tower

NORM = dict(type='GN', num_groups=2)


@pytest.mark.parametrize('kernel_size', [1, 3])
def test_a_block_keeps_the_size_and_is_convolution_norm_relu(kernel_size):
    block = conv_block(3, 4, kernel_size, norm_cfg=NORM)
    feature = torch.randn(2, 3, 5, 7)
    expected = block.gn(block.conv(feature)).relu()
    torch.testing.assert_close(block(feature), expected)
    assert expected.shape == (2, 4, 5, 7)
    assert block.conv.kernel_size == (kernel_size, kernel_size)


def test_a_convolution_has_a_bias_where_no_norm_follows():
    assert conv_block(3, 4, 3, norm_cfg=None).conv.bias is not None
    assert conv_block(3, 4, 3, norm_cfg=NORM).conv.bias is None


def test_a_tower_chains_its_blocks():
    tower = conv_tower(3, 4, 3, norm_cfg=NORM)
    assert [block.conv.in_channels for block in tower] == [3, 4, 4]
    assert all(block.conv.kernel_size == (3, 3) for block in tower)
    assert tower(torch.randn(2, 3, 5, 7)).shape == (2, 4, 5, 7)


@pytest.mark.parametrize(('everywhere', 'kinds'), [(True, [1, 1, 1]), (False, [0, 0, 1])])
def test_which_convolutions_deform(everywhere, kinds):
    tower = conv_tower(
        3, 4, 3, norm_cfg=NORM, dcn_cfg=dict(type='DCN'), dcn_apply_to_all_conv=everywhere
    )
    expected = [DeformConv2d if deforms else Conv3x3 for deforms in kinds]
    assert [type(block.conv) for block in tower] == expected
