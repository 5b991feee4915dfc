import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pycocotools import mask as coco_mask
from torch import Tensor

from mmdet.ops import masks_to_rle
from mmdet.ops.masks_to_rle import masks_to_rle_reference
from mmdet.structures.masks import RLEMasks

Shape = tuple[int, int]


def draw(probabilities: Tensor, img_shape: Shape, ori_shape: Shape) -> Tensor:
    """Return the probabilities at the original size."""
    height, width = (4 * side for side in probabilities.shape[1:])
    full = F.interpolate(probabilities[None], size=(height, width), mode='bilinear')
    full = full[:, :, : img_shape[0], : img_shape[1]]
    return F.interpolate(full, size=ori_shape, mode='bilinear')[0]


def assert_same(masks: RLEMasks, drawn: Tensor, threshold: float) -> None:
    """The masks are those of the drawn probabilities, but for rounding, and in COCO's own form."""
    bitmaps = masks.to_ndarray().astype(bool)
    drawn = drawn.cpu().numpy()
    differ = bitmaps != (drawn > threshold)
    np.testing.assert_allclose(drawn[differ], threshold, rtol=0, atol=1e-5)
    columns = np.asfortranarray(bitmaps.transpose(1, 2, 0).astype(np.uint8))
    assert masks.rles == coco_mask.encode(columns)


@pytest.mark.parametrize('function', [masks_to_rle, masks_to_rle_reference])
def test_resizes_twice_and_cuts_the_padding(function):
    probabilities = torch.rand(5, 24, 32)
    rles = function(probabilities, img_shape=(90, 120), ori_shape=(60, 77), threshold=0.5)
    assert_same(rles, draw(probabilities, (90, 120), (60, 77)), 0.5)


def test_chunks_of_the_reference_give_what_all_at_once_gives(monkeypatch):
    probabilities = torch.rand(7, 8, 8)
    shapes = dict(img_shape=(32, 32), ori_shape=(50, 40), threshold=0.4)
    together = masks_to_rle_reference(probabilities, **shapes)
    monkeypatch.setattr(sys.modules[masks_to_rle.__module__], '_PIXELS_AT_ONCE', 2 * 50 * 40)
    assert masks_to_rle_reference(probabilities, **shapes).rles == together.rles


def test_full_and_empty_masks_and_none(device):
    shapes = dict(img_shape=(32, 32), ori_shape=(64, 48), threshold=0.5)
    full = masks_to_rle(torch.ones(1, 8, 8, device=device), **shapes)
    assert full.rles == [dict(size=[64, 48], counts=b'0PP3')]  # runs 0, 3072 = 3 * 1024
    empty = masks_to_rle(torch.zeros(1, 8, 8, device=device), **shapes)
    assert empty.rles == [dict(size=[64, 48], counts=b'PP3')]
    none = masks_to_rle(torch.zeros(0, 8, 8, device=device), **shapes)
    assert len(none) == 0
    assert none.to_ndarray().shape == (0, 64, 48)


@pytest.mark.parametrize(
    ('shape', 'img_shape', 'ori_shape'),
    [
        ((1, 24, 32), (96, 128), (96, 128)),
        ((3, 25, 19), (97, 75), (431, 333)),
        ((3, 25, 19), (97, 75), (13, 7)),  # some pixels of the quarter have none in the image
        ((3, 25, 19), (200, 200), (60, 50)),  # an image as large as its padded input
        ((2, 24, 32), (9, 128), (700, 3)),
        ((2, 1, 1), (4, 4), (5, 7)),
        ((2, 1, 9), (2, 33), (1, 40)),
        ((2, 2, 2), (7, 8), (1, 1)),
        ((1000, 6, 5), (24, 20), (31, 33)),
        ((1, 200, 168), (800, 667), (1200, 1001)),
    ],
)
@pytest.mark.parametrize('threshold', [0.25, 0.5])
def test_kernel_gives_what_the_reference_gives(kernels, shape, img_shape, ori_shape, threshold):
    noise = torch.rand(shape, device=kernels)
    smooth = F.avg_pool2d(noise, 5, stride=1, padding=2)  # edges far apart, all sides touched
    for probabilities in (noise, smooth):
        masks = masks_to_rle(
            probabilities, img_shape=img_shape, ori_shape=ori_shape, threshold=threshold
        )
        assert_same(masks, draw(probabilities, img_shape, ori_shape), threshold)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_counts_in_float32_whatever_the_dtype(device, dtype):
    probabilities = torch.rand(3, 9, 7, device=device).to(dtype)
    shapes = dict(img_shape=(36, 28), ori_shape=(50, 41), threshold=0.5)
    expected = masks_to_rle(probabilities.float(), **shapes).rles
    assert masks_to_rle(probabilities, **shapes).rles == expected
    with torch.autocast(device.type, dtype=torch.bfloat16):
        assert masks_to_rle(probabilities, **shapes).rles == expected


@pytest.mark.parametrize(
    'view',
    [
        lambda maps: maps.transpose(1, 2),
        lambda maps: maps[::2, 1:, ::3],
        lambda maps: maps[:1].expand(3, -1, -1),
    ],
)
def test_any_strides(device, view):
    probabilities = view(torch.rand(4, 9, 12, device=device))
    shapes = dict(img_shape=(30, 14), ori_shape=(50, 41), threshold=0.5)
    expected = masks_to_rle(probabilities.contiguous(), **shapes).rles
    assert masks_to_rle(probabilities, **shapes).rles == expected


def test_no_probability_is_above_itself_and_nan_above_none(device):
    maps = torch.full((2, 8, 8), 0.5, device=device)
    maps[1] = torch.nan
    masks = masks_to_rle(maps, img_shape=(32, 32), ori_shape=(64, 48), threshold=0.5)
    assert masks.areas.tolist() == [0, 0]


def test_keeps_no_full_size_mask(kernels):
    if kernels.type != 'cpu' or not Path('/proc/self/clear_refs').exists():
        pytest.skip('the peak is that of the resident memory, as Linux counts it')
    y, x = torch.arange(200)[:, None], torch.arange(267)
    blobs = (60 - torch.hypot(y - 90.0, x - 130.0)).sigmoid().repeat(100, 1, 1)
    Path('/proc/self/clear_refs').write_text('5')  # resets the peak
    before = resident('VmRSS')
    masks = masks_to_rle(blobs, img_shape=(800, 1067), ori_shape=(3000, 4000), threshold=0.5)
    assert resident('VmHWM') - before < 48e6  # a single mask of floats
    assert masks.areas.min() == pytest.approx(torch.pi * (60 * 15) ** 2, rel=0.01)


def resident(kind: str) -> int:
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(kind):
            return 1024 * int(line.split()[1])
    raise LookupError(kind)


def test_op_is_registered_well(kernels):
    op = torch.ops.mmdet_solo.masks_to_rle.default
    torch.library.opcheck(op, (torch.rand(3, 8, 8, device=kernels), 30, 32, 20, 25, 0.5))
    torch.library.opcheck(op, (torch.rand(0, 8, 8, device=kernels), 30, 32, 20, 25, 0.5))


def test_export_sees_through(kernels):
    class Encode(torch.nn.Module):
        def forward(self, probabilities: Tensor) -> tuple[Tensor, Tensor]:
            return torch.ops.mmdet_solo.masks_to_rle(probabilities, 30, 32, 20, 25, 0.5)

    probabilities = torch.rand(3, 8, 8, device=kernels)
    exported = torch.export.export(Encode(), (probabilities,)).module()
    for ours, theirs in zip(exported(probabilities), Encode()(probabilities), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ('argument', 'value'),
    [
        ('probabilities', torch.rand(8, 8)),
        ('probabilities', torch.rand(2, 0, 8)),
        ('probabilities', torch.ones(2, 8, 8, dtype=torch.long)),
        ('img_shape', (0, 32)),
        ('ori_shape', (32, -1)),
        ('ori_shape', (32, 32, 3)),
        ('ori_shape', (65536, 65536)),
    ],
)
def test_a_wrong_argument_is_named(argument, value):
    arguments = dict(
        probabilities=torch.rand(2, 8, 8), img_shape=(32, 32), ori_shape=(64, 48), threshold=0.5
    )
    arguments[argument] = value
    with pytest.raises(ValueError, match=f'^{argument} '):
        masks_to_rle(arguments.pop('probabilities'), **arguments)


@pytest.mark.parametrize(
    ('probabilities', 'sizes', 'named'),
    [
        (torch.rand(8, 8), (32, 32, 64, 48), 'probabilities'),
        (torch.rand(2, 8, 0), (32, 32, 64, 48), 'probabilities'),
        (torch.rand(2, 8, 8).double(), (32, 32, 64, 48), 'probabilities'),
        (torch.rand(2, 8, 8), (32, 0, 64, 48), 'img_shape'),
        (torch.rand(2, 8, 8), (32, 32, 0, 48), 'ori_shape'),
        (torch.rand(2, 8, 8), (32, 32, 2**40, 2**40), 'ori_shape'),
    ],
)
def test_the_op_itself_is_as_careful(kernels, probabilities, sizes, named):
    with pytest.raises(RuntimeError, match=named):
        torch.ops.mmdet_solo.masks_to_rle(probabilities.to(kernels), *sizes, 0.5)
