"""The graph for an export against `decode`, both run by PyTorch."""

from functools import partial

import pytest
import torch

from mmdet.export.network import ExportableDetector, best_first
from mmdet.models.postprocess import decode
from mmdet.ops import masks_to_rle
from mmdet.structures import DetDataSample
from tests.samples import HEADS

MANY = 600
SHAPE = (96, 160)


def by_decode(detector, image):
    """Return what the detector finds in a padded (1, 3, H, W) image."""
    head = detector.mask_head
    data = detector.data_preprocessor(dict(inputs=[image[0]], data_samples=[sample(image)]))
    outputs = head(detector.extract_feat(data['inputs']))
    size = tuple(image.shape[-2:])
    return decode(
        [pred[0].sigmoid() for pred in outputs.cls_preds],
        partial(head.cell_probabilities, outputs, 0),
        strides=head.strides,
        mask_size=outputs.mask_size,
        img_shape=size,
        ori_shape=size,
        cfg=head.decode_cfg,
    )


def sample(image):
    size = tuple(image.shape[-2:])
    return DetDataSample(metainfo=dict(img_shape=size, ori_shape=size))


def assert_same(found, expected, image, threshold):
    scores, labels, masks, _ = found
    number = len(expected)
    size = tuple(image.shape[-2:])
    torch.testing.assert_close(scores[:number], expected.scores)
    assert labels[:number].tolist() == expected.labels.tolist()
    assert labels[number:].tolist() == [-1] * (len(labels) - number)
    assert not scores[number:].any() and not masks[number:].any()
    rles = masks_to_rle(masks[:number], img_shape=size, ori_shape=size, threshold=threshold)
    mine, theirs = (each.to_ndarray() for each in (rles, expected.masks))
    # A pixel within rounding of the threshold may fall to either side.
    assert (mine != theirs).mean() < 1e-4


@pytest.mark.parametrize('kind', HEADS)
@pytest.mark.parametrize(
    'cfg',
    [
        dict(),
        dict(kernel='linear', filter_thr=0.0),
        dict(nms_pre=20, max_per_img=-1),
        dict(mask_thr=0.3, max_per_img=4),
    ],
)
def test_every_head_finds_what_decode_does(build_detector, kind, cfg):
    detector = build_detector(kind, **cfg)
    graph = ExportableDetector(detector, num_candidates=MANY)
    image = torch.randint(0, 256, (1, 3, *SHAPE)).float()
    expected = by_decode(detector, image)
    found = graph(image)
    assert found[3] <= MANY
    assert len(expected) > 3
    assert_same(found, expected, image, detector.mask_head.decode_cfg.mask_thr)


def test_ties_are_broken_by_the_order_of_cells(build_detector):
    """Every pair has the same category score, and every mask is full."""
    detector = build_detector('solo', max_per_img=400, kernel='linear', filter_thr=0.0)
    head = detector.mask_head
    for conv in (head.conv_cls, *head.conv_mask_list):
        conv.weight.zero_()
        conv.bias.fill_(2.0)
    image = torch.randint(0, 256, (1, 3, *SHAPE)).float()
    expected = by_decode(detector, image)
    cells = sum(grid**2 for grid in head.num_grids)
    found = ExportableDetector(detector, num_candidates=3 * cells)(image)
    assert found[3] == 3 * cells
    assert_same(found, expected, image, head.decode_cfg.mask_thr)


def test_too_few_candidates_are_told(build_detector):
    detector = build_detector('solov2')
    image = torch.randint(0, 256, (1, 3, *SHAPE)).float()
    scores, _, _, above = ExportableDetector(detector, num_candidates=5)(image)
    assert above > 5
    assert len(scores) == 5
    assert len(by_decode(detector, image)) > 5


def test_nothing_found(build_detector):
    detector = build_detector('decoupled', score_thr=1.0)
    scores, labels, masks, above = ExportableDetector(detector, num_candidates=50)(
        torch.zeros(1, 3, *SHAPE)
    )
    assert above == 0
    assert not scores.any() and not masks.any()
    assert labels.tolist() == [-1] * 30
    assert masks.shape == (30, 24, 40)


def test_half_computes_in_float16_and_returns_float32(build_detector):
    detector = build_detector('solo')
    graph = ExportableDetector(detector, num_candidates=MANY, half=True)
    assert {parameter.dtype for parameter in graph.parameters()} == {torch.float16}
    scores, _, masks, above = graph(torch.randint(0, 256, (1, 3, *SHAPE)).float())
    assert scores.dtype == masks.dtype == torch.float32
    assert above > 0


def test_best_first():
    scores = torch.tensor([0.5, 0.9, 0.5, 0.1, 0.9])
    assert best_first(scores).tolist() == scores.argsort(descending=True, stable=True).tolist()
    assert best_first(torch.zeros(0)).tolist() == []
