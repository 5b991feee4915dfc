"""albumentations' transforms: image, masks, boxes and labels must stay together."""

import sys

import cv2
import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS
from tests.datasets.transforms.results import apply, results_of

BOXES = [(20, 10, 60, 50), (80, 20, 120, 76)]
GEOMETRY = [
    dict(type='HorizontalFlip', p=1.0),
    dict(type='Rotate', limit=40, p=1.0),
    dict(type='Affine', translate_percent=(-0.5, 0.5), p=1.0),
    dict(type='RandomCrop', height=50, width=70),
    dict(type='RandomScale', scale_limit=0.3, p=1.0),
    dict(type='OneOf', transforms=[dict(type='VerticalFlip', p=1.0), dict(type='Transpose')]),
]
# As mmdetection's documentation writes them.
BBOX_PARAMS = dict(
    type='BboxParams',
    format='pascal_voc',
    label_fields=['gt_bboxes_labels', 'gt_ignore_flags'],
    min_visibility=0.0,
    filter_lost_elements=True,
)
KEYMAP = {'img': 'image', 'gt_masks': 'masks', 'gt_bboxes': 'bboxes'}


@pytest.fixture
def albumentations(monkeypatch):
    monkeypatch.setenv('NO_ALBUMENTATIONS_UPDATE', '1')
    pytest.importorskip('albumentations', reason='albumentations is not installed')


@pytest.mark.parametrize('arguments', [{}, dict(bbox_params=BBOX_PARAMS, keymap=KEYMAP)])
@pytest.mark.parametrize('transform', GEOMETRY, ids=lambda each: each['type'])
def test_masks_stay_on_their_objects_and_boxes_around_masks(albumentations, transform, arguments):
    given = results_of(BOXES, 80, 128)
    given['gt_ignore_flags'] = np.array([False, True])
    seen = 0
    for _ in range(15):
        results = apply('Albu', given, transforms=[transform], **arguments)
        assert results['img'].shape == (*results['img_shape'], 3)
        assert results['gt_bboxes'].dtype == np.float32
        assert results['gt_bboxes_labels'].dtype == np.int64
        assert results['gt_masks'].masks.shape[1:] == results['img_shape']
        assert (results['gt_ignore_flags'] == (results['gt_bboxes_labels'] == 1)).all()
        for label, (x1, y1, x2, y2), mask in zip(
            results['gt_bboxes_labels'],
            results['gt_bboxes'],
            results['gt_masks'].masks,
            strict=True,
        ):
            shown = np.abs(results['img'][..., 0].astype(int) - (100 + 50 * label)) < 5
            inside = cv2.erode(np.pad(mask, 2), np.ones((5, 5), np.uint8))[2:-2, 2:-2] > 0
            assert shown[inside].all()
            rows, columns = np.nonzero(mask)
            if len(rows):
                assert x1 - 2 < columns.min() and columns.max() + 1 < x2 + 2
                assert y1 - 2 < rows.min() and rows.max() + 1 < y2 + 2
            seen += len(rows) > 0
    assert seen > 8
    assert given['gt_bboxes'].tolist() == [list(map(float, box)) for box in BOXES]
    np.testing.assert_array_equal(given['img'], results_of(BOXES, 80, 128)['img'])


@pytest.mark.parametrize('transform', GEOMETRY, ids=lambda each: each['type'])
def test_images_without_instances(albumentations, transform):
    results = apply('Albu', results_of([], 80, 128), transforms=[transform])
    assert results['gt_bboxes'].shape == (0, 4)
    assert results['gt_masks'].masks.shape == (0, *results['img_shape'])
    alone = apply('Albu', dict(img=results_of()['img']), transforms=[dict(type='ToGray', p=1.0)])
    assert alone.keys() == {'img', 'img_shape'}


def test_what_albumentations_warns_of_is_passed_on(albumentations, recwarn):
    build = dict(type='Albu', transforms=[dict(type='ToGray')])
    TRANSFORMS.build(build)
    assert not list(recwarn)
    TRANSFORMS.build(build | dict(transforms=[dict(type='ShiftScaleRotate')]))
    assert any('ShiftScaleRotate' in str(each.message) for each in recwarn)


def test_what_is_lost_is_left_out_and_such_an_image_may_be_skipped(albumentations):
    given = results_of([(0, 0, 10, 10), (80, 20, 120, 76), (5, 5, 5, 9)], 80, 128)
    crop = [dict(type='CenterCrop', height=40, width=60)]
    results = apply('Albu', given, transforms=crop)
    assert results['gt_bboxes_labels'].tolist() == [1]
    assert results['gt_bboxes'].round(3).tolist() == [[46, 0, 60, 40]]
    assert results['gt_masks'].areas.tolist() == [14 * 40]
    far = results_of([(0, 0, 10, 10)], 80, 128)
    assert len(apply('Albu', far, transforms=crop)['gt_masks']) == 0
    assert apply('Albu', far, transforms=crop, skip_img_without_anno=True) is None


def test_a_seed_decides_what_is_drawn(albumentations):
    transform = TRANSFORMS.build(dict(type='Albu', transforms=[dict(type='Rotate', p=1.0)]))
    images = []
    for seed in (0, 0, 1):
        np.random.seed(seed)
        images.append(transform(results_of())['img'])
    assert (images[0] == images[1]).all()
    assert (images[0] != images[2]).any()


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (dict(transforms=[]), 'transforms is'),
        (dict(transforms=[dict(p=1)]), 'is not a dict with'),
        (dict(transforms=[dict(type='Rotat')]), "no 'Rotat'; did you mean 'Rotate'"),
        (dict(transforms=[dict(type='Rotate', limits=3)]), 'limits'),
        (dict(transforms=[dict(type='Rotate', p=7)]), 'Rotate: '),
        (dict(transforms=[dict(type='ToGray')], keymap=dict(img='image')), 'keymap is'),
        (dict(transforms=[dict(type='ToGray')], bbox_params=dict(format='coco')), "'coco', but"),
        (dict(transforms=[dict(type='ToGray')], bbox_params=dict(visible=1)), 'bbox_params: .*vis'),
    ],
)
def test_wrong_arguments(albumentations, arguments, said):
    with pytest.raises(UserError, match=f'(?s)Albu: .*{said}'):
        TRANSFORMS.build(dict(type='Albu', **arguments))


def test_without_albumentations(monkeypatch):
    monkeypatch.setitem(sys.modules, 'albumentations', None)
    with pytest.raises(UserError, match=r"Albu needs .*: pip install 'mmdet-solo\[albu\]'"):
        TRANSFORMS.build(dict(type='Albu', transforms=[dict(type='ToGray')]))
