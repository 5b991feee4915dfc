"""Weights to measure with."""

import pytest
import torch
from mmengine.config import ConfigDict

from mmdet.engine.measure.weights import let_masks_cover, set_candidates, without_pretrained
from mmdet.errors import UserError
from mmdet.models.postprocess import point_nms
from mmdet.registry import MODELS
from tests.samples import HEADS, sample_of


def test_nothing_begins_with_the_weights_of_others():
    pretrained = dict(type='Pretrained', checkpoint='torchvision://resnet50')
    kept = dict(type='Normal', std=0.01)
    model = dict(
        init_cfg=pretrained,
        backbone=dict(out_indices=(0, 1), pretrained=True, checkpoint_path='x.pth', init_cfg=None),
        neck=dict(init_cfg=[kept, pretrained]),
        mask_head=dict(scale_ranges=((1, 2), (3, 4)), init_cfg=kept),
    )
    assert without_pretrained(ConfigDict(model).to_dict()) == dict(
        init_cfg=None,
        backbone=dict(out_indices=(0, 1), pretrained=False, checkpoint_path='', init_cfg=None),
        neck=dict(init_cfg=[kept]),
        mask_head=dict(scale_ranges=((1, 2), (3, 4)), init_cfg=kept),
    )
    assert model['init_cfg'] is pretrained


@pytest.fixture(params=HEADS)
def detector(request, tiny_model):
    head = dict(tiny_model['mask_head'], **HEADS[request.param])
    test_cfg = dict(score_thr=0.1, filter_thr=0.0, nms_pre=-1, max_per_img=-1)
    model = MODELS.build(dict(tiny_model, mask_head=head, test_cfg=test_cfg))
    model.init_weights()
    return model.eval()


@torch.no_grad()
def number_of_candidates(detector, inputs) -> int:
    logits = detector.mask_head(detector.extract_feat(inputs)).cls_preds
    scores = [point_nms(each[0].sigmoid()) for each in logits]
    return sum(int((each > detector.mask_head.decode_cfg.score_thr).sum()) for each in scores)


@pytest.mark.parametrize('candidates', [1, 7, 40])
def test_as_many_candidates_as_asked_for(detector, candidates):
    inputs = torch.randn(2, 3, 96, 128)
    assert number_of_candidates(detector, inputs) == 0
    set_candidates(detector, inputs, candidates)
    assert number_of_candidates(detector, inputs) == candidates
    set_candidates(detector, inputs, 5)  # also from a bias that was shifted before
    assert number_of_candidates(detector, inputs) == 5


def test_their_masks_cover_part_of_the_image(detector):
    inputs = torch.randn(1, 3, 96, 128)
    set_candidates(detector, inputs, 20)
    let_masks_cover(detector.mask_head)
    with torch.no_grad():
        (found,) = detector(inputs, [sample_of([], shape=(96, 128))], mode='predict')
    covered = found.pred_instances.masks.to_ndarray().mean((1, 2))
    assert len(covered) and 0.01 < covered.mean() < 0.9


def test_what_cannot_be_set(tiny_model):
    inputs = torch.randn(1, 3, 96, 128)
    with pytest.raises(UserError, match=r'score_thr=0\.0'):
        set_candidates(MODELS.build(tiny_model).eval(), inputs, 5)
    detector = MODELS.build(dict(tiny_model, test_cfg=dict(score_thr=0.1))).eval()
    for number in (0, 10**6):
        with pytest.raises(UserError, match=rf'there can be 1 to \d+ candidates, not {number}'):
            set_candidates(detector, inputs, number)
