"""Multiplications, against counts by hand."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from torch.utils.flop_counter import FlopCounterMode
from torchvision.ops import deform_conv2d

from mmdet.engine.measure.flop_formulas import DIRECT, WINOGRAD
from mmdet.engine.measure.flops import (
    BACKWARD,
    FORWARD,
    MASKS,
    build,
    count_here,
    count_published,
    parameters_by_part,
)
from mmdet.errors import UserError
from mmdet.ops._extension import has_kernel
from tests.conftest import REPO
from tests.samples import HEADS

SIZE = (96, 128)


def flops_of(run, formulas: dict) -> int:
    with FlopCounterMode(display=False, custom_mapping=formulas) as counter:
        run()
    return counter.get_total_flops()


@pytest.mark.skipif(not has_kernel('conv3x3', torch.ones(1)), reason='needs the kernel')
def test_winograds_products():
    # 9 x 14 pixels are 3 x 4 tiles.
    images = torch.randn(2, 5, 9, 14, requires_grad=True)
    weight = torch.randn(7, 5, 3, 3, requires_grad=True)

    def run() -> None:
        torch.ops.mmdet_solo.conv3x3([images], weight, None)[0].sum().backward()

    def reference() -> None:
        F.conv2d(images, weight, padding=1).sum().backward()

    assert flops_of(run, WINOGRAD) == 3 * 2 * 36 * (2 * 3 * 4) * 5 * 7
    assert flops_of(run, DIRECT) == 3 * 2 * 9 * (2 * 9 * 14) * 5 * 7 == flops_of(reference, {})


def test_deformable_convolution():
    images = torch.randn(2, 4, 9, 14, requires_grad=True)
    weight = torch.randn(6, 4, 3, 3, requires_grad=True)
    offset = torch.zeros(2, 18, 9, 14, requires_grad=True)
    direct = 2 * 9 * (2 * 9 * 14) * 4 * 6
    with FlopCounterMode(display=False, custom_mapping=DIRECT) as counter:
        output = deform_conv2d(images, offset, weight, padding=1)
        assert counter.get_total_flops() == direct
        output.sum().backward()
    assert counter.get_total_flops() == 3 * direct


def levels(height: int, width: int) -> list[int]:
    """Pixels of the pyramid's levels from stride 4 on."""
    sizes = [(height // stride, width // stride) for stride in (4, 8, 16, 32)]
    sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return [h * w for h, w in sizes]


def test_solo_r50_as_published():
    cfg = Config.fromfile(REPO / 'configs/solo/solo_r50_fpn_1x_coco.py')
    counts = count_published(build(cfg.model.to_dict()), (800, 1344), 'test')
    pixels = levels(800, 1344)
    outputs = 256, 512, 1024, 2048
    backbone = 7 * 7 * 3 * 64 * 400 * 672
    inside = 64
    for stage, (blocks, outside) in enumerate(zip((3, 4, 6, 3), outputs, strict=True)):
        width, here = outside // 4, pixels[stage]
        before = here if stage == 0 else pixels[stage - 1]  # the second convolution strides
        backbone += inside * width * before + (9 * width * width + width * outside) * here
        backbone += inside * outside * here
        backbone += (blocks - 1) * (2 * outside * width + 9 * width * width) * here
        inside = outside
    neck = sum(
        (outside * 256 + 9 * 256 * 256) * here
        for outside, here in zip(outputs, pixels, strict=False)
    )
    cells = 40**2, 36**2, 24**2, 16**2, 12**2
    # The head halves the first level, and doubles the last.
    of_head = [pixels[1], pixels[1], pixels[2], pixels[3], pixels[3]]
    mask_tower = 9 * (258 * 256 + 6 * 256 * 256) * sum(of_head)
    masks = sum(256 * number * 4 * here for number, here in zip(cells, of_head, strict=True))
    expected = {
        'backbone': backbone,
        'neck': neck,
        'mask_head.cls_convs': 9 * 7 * 256 * 256 * sum(cells),
        'mask_head.conv_cls': 9 * 256 * 80 * sum(cells),
        'mask_head.mask_convs': mask_tower,
        'mask_head.conv_mask_list': masks,
        MASKS: 0,
    }
    assert counts == expected | {FORWARD: sum(expected.values())}


@pytest.fixture(params=HEADS)
def detector(request, tiny_model):
    head = dict(tiny_model['mask_head'], **HEADS[request.param])
    return build(dict(tiny_model, mask_head=head, test_cfg=dict(score_thr=0.1)))


@pytest.mark.parametrize('stage', ['test', 'train'])
def test_the_parts_are_all_and_no_more_than_was_published(detector, stage):
    published = count_published(detector, SIZE, stage)
    here, multiplied = count_here(detector, SIZE, stage, candidates=10)
    for counts in (published, here, multiplied):
        parts = {name for name in counts if name not in (FORWARD, BACKWARD)}
        assert sum(counts[name] for name in parts) == counts[FORWARD]
        assert (BACKWARD in counts) == (stage == 'train')
    assert published.keys() == here.keys() == multiplied.keys()
    assert here[MASKS] > 0 == published[MASKS]
    assert here['backbone'] == published['backbone'] and here['neck'] == published['neck']
    assert multiplied[FORWARD] <= here[FORWARD]


def test_a_convolution_has_two_gradients(tiny_model):
    detector = build(tiny_model)
    counts = count_published(detector, SIZE, 'train')
    first = 7 * 7 * 3 * 8 * 48 * 64  # images have no gradient
    assert counts[BACKWARD] == 2 * counts[FORWARD] - first
    assert all(each.grad is None for each in detector.parameters())


def test_without_winograd_nothing_is_saved(tiny_model, monkeypatch):
    direct, _ = count_here(build(tiny_model), (256, 320), 'train', candidates=1)
    monkeypatch.setenv('MMDET_NO_WINOGRAD', '1')
    again, multiplied = count_here(build(tiny_model), (256, 320), 'train', candidates=1)
    assert direct == again == multiplied


def test_fewer_levels_take_less(tiny_model):
    model = dict(tiny_model, test_cfg=dict(score_thr=0.1))
    few, many = (count_here(build(model), SIZE, 'test', candidates=number)[0] for number in (1, 60))
    assert 0 < few['mask_head.mask_convs'] < many['mask_head.mask_convs']
    assert few[MASKS] < many[MASKS]


def test_a_count_is_the_same_each_time(tiny_model):
    """Whatever was drawn before: where candidates lie decides at which levels masks are drawn."""
    model = dict(tiny_model, test_cfg=dict(score_thr=0.1))
    counts = []
    for seed in range(4):
        torch.manual_seed(seed)
        counts.append(count_here(build(model), SIZE, 'test', candidates=3))
        assert torch.initial_seed() == seed
    assert counts[1:] == counts[:-1]


def test_parameters(tiny_model):
    detector = build(tiny_model)
    counts = parameters_by_part(detector)
    assert counts['mask_head.conv_mask_list'] == sum((16 + 1) * s * s for s in (10, 9, 6, 4, 3))
    assert counts['mask_head.conv_cls'] == (9 * 16 + 1) * 3
    assert counts[FORWARD] == sum(number for name, number in counts.items() if name != FORWARD)


def test_another_model_is_refused():
    with pytest.raises(UserError, match='only a SOLO'):
        build(dict(type='ResNet', depth=18))
