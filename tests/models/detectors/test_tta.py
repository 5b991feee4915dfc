"""Several views of an image, through a whole detector."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.dataset import pseudo_collate

from mmdet.errors import UserError
from mmdet.models.detectors.tta import _padded_as_mirrored
from mmdet.models.views import merged, mirrored_cells
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from tests.samples import HEADS

AXES = {'horizontal': (2,), 'vertical': (1,), 'diagonal': (1, 2)}


@pytest.fixture(params=['solo', 'decoupled', 'solov2'])
def model(request, tiny_model):
    tiny_model['mask_head'] |= HEADS[request.param]
    tiny_model['test_cfg'] = dict(score_thr=0.0, filter_thr=0.0, mask_thr=0.3, max_per_img=20)
    model = MODELS.build(tiny_model).eval()
    for parameter in model.parameters():  # a network that sees something
        if parameter.ndim > 1:
            torch.nn.init.kaiming_normal_(parameter)
    return model


def tta(model, **settings):
    return MODELS.build(dict(type='DetTTAModel', module=model, tta_cfg=settings))


def item(image, direction=None, img_id=0):
    """Return what a pipeline packs."""
    meta = dict(img_shape=image.shape[1:], ori_shape=image.shape[1:], img_id=img_id)
    sample = DetDataSample(metainfo={**meta, 'flip': bool(direction), 'flip_direction': direction})
    return dict(inputs=image, data_samples=sample)


def views(*items):
    """Return what `TestTimeAug` makes of an image."""
    return {key: [each[key] for each in items] for key in ('inputs', 'data_samples')}


def image(height=96, width=128):
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8)


@torch.no_grad()
def assert_same(found, expected):
    torch.testing.assert_close(found.pred_instances.scores, expected.pred_instances.scores)
    assert found.pred_instances.labels.tolist() == expected.pred_instances.labels.tolist()
    assert found.pred_instances.masks.rles == expected.pred_instances.masks.rles
    assert len(found.pred_instances) > 0


@torch.no_grad()
def test_the_same_view_twice_says_nothing_new(model):
    """Also for a batch of images of several sizes, which is padded."""
    images = [item(image(90, 120), img_id=0), item(image(96, 70), img_id=1)]
    expected = model.test_step(pseudo_collate(images))
    found = tta(model).test_step(pseudo_collate([views(each, each) for each in images]))
    for one, other in zip(found, expected, strict=True):
        assert_same(one, other)
        assert one.img_id == other.img_id and 'view' not in one


@pytest.mark.parametrize('direction', AXES)
@torch.no_grad()
def test_of_a_mirror_image_the_mirror_image_is_found(model, direction):
    """To the network, which is not symmetric, the image and its mirror image are two images."""
    axes = AXES[direction]
    plain = image()
    mirrored = plain.flip(axes)
    found = merged_views(model, item(plain), item(mirrored, direction))
    other = merged_views(model, item(mirrored), item(plain, direction))
    for level, scores in enumerate(found.scores):
        torch.testing.assert_close(other.scores[level].flip(axes), scores)
        cells = torch.arange(scores.shape[-1] ** 2)
        there = mirrored_cells(cells, scores.shape[-1], direction)
        drawn = other.draw(level, there).flip(axes)
        torch.testing.assert_close(drawn, found.draw(level, cells))


def merged_views(model, *items):
    looks = [tta(model)._look(pseudo_collate([each])) for each in items]
    return merged([sample.view for (sample,) in looks])


@pytest.mark.parametrize('direction', AXES)
def test_padding_is_mirrored_with_the_image(direction):
    plain = torch.rand(3, 20, 24)
    padded = F.pad(plain, (0, 8, 0, 12), value=-1)
    mirrored = F.pad(plain.flip(AXES[direction]), (0, 8, 0, 12), value=-1)
    moved = _padded_as_mirrored(mirrored, (20, 24), direction)
    assert torch.equal(moved.flip(AXES[direction]), padded)
    assert torch.equal(_padded_as_mirrored(padded, (20, 24), ''), padded)


@torch.no_grad()
def test_a_view_at_another_scale_gives_masks_at_the_original_size(model):
    plain = image()
    small = item(F.interpolate(plain[None].float(), scale_factor=0.75)[0].to(torch.uint8))
    small['data_samples'].set_metainfo(dict(ori_shape=(96, 128)))
    (found,) = tta(model).test_step(pseudo_collate([views(small, item(plain))]))
    masks = found.pred_instances.masks
    assert len(masks) > 0 and (masks.height, masks.width) == (96, 128)


def test_settings_differ_from_the_detectors_own(model):
    assert tta(model, max_per_img=3).decode_cfg.max_per_img == 3
    assert tta(model).decode_cfg == model.mask_head.decode_cfg
    with pytest.raises(UserError, match="no setting 'nms'"):
        tta(model, nms=dict(type='nms', iou_threshold=0.5))
