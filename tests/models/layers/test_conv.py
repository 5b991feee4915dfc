from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmdet.models.heads.features import apply_rows
from mmdet.models.layers import Conv3x3, DeformConv2d, conv_block, conv_tower, of_levels
from mmdet.ops._first_use import may_use_kernel

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


def test_a_deformable_convolution_may_have_one_beside_a_norm():
    without, with_bias = (
        conv_block(3, 4, 3, norm_cfg=NORM, conv_cfg=dict(type='DCNv2', **bias))
        for bias in ({}, dict(bias=True))
    )
    assert without.conv.bias is None
    with_bias.conv.bias.data.fill_(2)
    feature = torch.randn(2, 3, 5, 7)
    expected = with_bias.gn(with_bias.conv(feature)).relu()
    torch.testing.assert_close(with_bias(feature), expected)
    with_bias.conv.bias.data = torch.tensor([2.0, 0, 0, 0])
    assert not torch.allclose(with_bias(feature), expected)


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


class Made(TorchDispatchMode):
    """Notes the memory that operations take for their results."""

    def __init__(self) -> None:
        super().__init__()
        self.storages: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func(*args, **(kwargs or {}))
        for result in tree_leaves(results):
            if isinstance(result, Tensor):
                storage = result.untyped_storage()
                ref = StorageWeakRef(storage)
                self.storages[ref.cdata] = ref, storage.nbytes()
        return results

    def kept(self, size: int) -> int:
        """How many pieces of so many bytes are still there."""
        return sum(not ref.expired() and held == size for ref, held in self.storages.values())


def read_whole(conv: nn.Conv2d, feature: Tensor) -> Tensor:
    return conv(feature)


def read_rows(conv: nn.Conv2d, feature: Tensor) -> Tensor:
    rows = conv.weight[:, :, 1, 1]
    return apply_rows([rows[:5], rows[5:]], feature.unbind())


TOWERS = [
    (dict(type='GN', num_groups=4), None, 3),
    # Of each layer the normed feature too, which ReLU has written into
    (dict(type='BN'), None, 6),
    (dict(type='GN', num_groups=4), dict(type='DCN'), 3),
    (dict(type='GN', num_groups=4), dict(type='DCNv2'), 3),
]


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('read', [read_whole, read_rows])
@pytest.mark.parametrize(('norm', 'dcn', 'maps'), TOWERS)
@pytest.mark.parametrize('size', [(8, 9), (40, 48)])  # one for each way to convolve
def test_what_is_kept_for_the_backward_pass(norm, dcn, maps, read, dtype, size):
    if not may_use_kernel('group_norm_relu', torch.empty(0)):
        pytest.skip('the compiled kernel is absent or hidden')
    if dcn and dtype != torch.float32:
        pytest.skip('its convolutions are float32, and copy their input')
    tower = conv_tower(18, 32, 3, norm_cfg=norm, dcn_cfg=dcn)
    last = Conv3x3(32, 11, 3, padding=1)
    feature = torch.randn(2, 18, *size)
    with Made() as made, torch.autocast('cpu', dtype=dtype, enabled=dtype != torch.float32):
        output = read(last, tower(feature))
    assert made.kept(2 * 32 * size[0] * size[1] * dtype.itemsize) == maps
    output.sum().backward()
    assert all(parameter.grad is not None for parameter in tower.parameters())
    assert made.kept(2 * 32 * size[0] * size[1] * dtype.itemsize) == 0


def plainly(tower: nn.Sequential, feature: Tensor) -> Tensor:
    for block in tower:
        feature = block.norm(block.conv(feature)).relu()
    return feature


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('dcn', [None, dict(type='DCNv2')])
@pytest.mark.parametrize('size', [(8, 9), (40, 48)])
def test_a_tower_learns_what_its_layers_one_by_one_do(dcn, dtype, size):
    tower = conv_tower(18, 32, 3, norm_cfg=dict(type='GN', num_groups=4), dcn_cfg=dcn)
    for parameter in tower.parameters():
        nn.init.normal_(parameter, std=0.1)
    last, feature = Conv3x3(32, 11, 3, padding=1), torch.randn(2, 18, *size)

    def learn(run: Callable[[nn.Sequential, Tensor], Tensor]) -> list[Tensor]:
        leaf = feature.clone().requires_grad_()
        with torch.autocast('cpu', dtype=dtype, enabled=dtype != torch.float32):
            normed = run(tower, leaf)
            output = read_whole(last, normed).float().sum() + read_rows(last, normed).square().sum()
        leaves = leaf, *tower.parameters(), *last.parameters()
        return [output, *torch.autograd.grad(output, leaves)]

    for found, wanted in zip(learn(nn.Sequential.forward), learn(plainly), strict=True):
        # Of bfloat16's three digits one is lost, whoever adds up.
        tolerance = 1e-4 if dtype == torch.float32 else 3e-2
        assert (found - wanted).norm() < tolerance * wanted.norm()


LEVELS = [(32, 36), (24, 24), (12, 16), (1, 1)]  # small ones that are too few for the kernel


@pytest.mark.parametrize(
    ('norm', 'dcn'),
    [
        (dict(type='GN', num_groups=4), None),
        (dict(type='GN', num_groups=4), dict(type='DCNv2')),
        (dict(type='BN'), None),
    ],
)
def test_levels_at_once_learn_what_each_alone_does(norm, dcn):
    block = conv_block(18, 32, 3, norm_cfg=norm, conv_cfg=dcn).eval()
    levels = [torch.randn(2, 18, *size, requires_grad=True) for size in LEVELS]
    leaves = [*levels, *block.parameters()]
    found = of_levels(block, levels)
    wanted = [block(level) for level in levels]
    for outputs in (found, wanted):
        outputs.extend(torch.autograd.grad(sum(out.square().sum() for out in outputs), leaves))
    for one, other in zip(found, wanted, strict=True):
        assert (one - other).norm() <= 1e-5 * other.norm()


def test_levels_at_once_are_convolved_at_once():
    block = conv_block(18, 32, 3, norm_cfg=dict(type='GN', num_groups=4))
    if not may_use_kernel('conv3x3', torch.empty(0)):
        pytest.skip('the compiled kernel is absent, hidden, or not for this processor')
    levels = [torch.randn(2, 18, *size) for size in LEVELS]
    with torch.profiler.profile() as profile:
        of_levels(block, levels)
    counts = {event.key: event.count for event in profile.key_averages()}
    assert counts['mmdet_solo::conv3x3'] == 1 and 'aten::convolution' not in counts


@pytest.mark.parametrize('watched', ['', 'conv'])
def test_who_watches_a_layer_sees_one_level_after_the_other(watched):
    block = conv_block(4, 8, 3, norm_cfg=dict(type='GN', num_groups=4))
    levels, seen = [torch.randn(1, 4, size, size) for size in (5, 3)], []
    block.get_submodule(watched).register_forward_hook(
        lambda _, inputs, output: seen.append((inputs[0].shape, output.shape))
    )
    assert len(of_levels(block, levels)) == 2
    assert seen == [((1, 4, size, size), (1, 8, size, size)) for size in (5, 3)]


def test_what_is_kept_of_levels_at_once():
    if not may_use_kernel('group_norm_relu', torch.empty(0)):
        pytest.skip('the compiled kernel is absent or hidden')
    tower = conv_tower(18, 32, 3, norm_cfg=dict(type='GN', num_groups=4))
    levels = [torch.randn(2, 18, *size) for size in LEVELS]
    with Made() as made:
        outputs = levels
        for block in tower:
            outputs = of_levels(block, outputs)
        outputs = of_levels(Conv3x3(32, 11, 3, padding=1), outputs)
    for height, width in LEVELS[:3]:
        assert made.kept(2 * 32 * height * width * 4) == 3


@pytest.mark.parametrize('norm', [dict(type='BN'), dict(type='GN', num_groups=2, affine=False)])
def test_other_norms(norm):
    block = conv_block(3, 4, 3, norm_cfg=norm).eval()
    feature = torch.randn(2, 3, 5, 7)
    torch.testing.assert_close(block(feature), block.norm(block.conv(feature)).relu())


def test_parts_of_a_block():
    block, feature = conv_block(3, 4, 3, norm_cfg=NORM), torch.randn(2, 3, 5, 7)
    convolved = block.conv(feature)
    torch.testing.assert_close(block(feature, activate=False), block.gn(convolved))
    torch.testing.assert_close(block(feature, norm=False), convolved.relu())


def test_names_in_a_checkpoint_are_mmdetections():
    names = list(conv_tower(3, 4, 2, norm_cfg=NORM).state_dict())
    assert names == [
        f'{i}.{name}' for i in range(2) for name in ('conv.weight', 'gn.weight', 'gn.bias')
    ]
