"""torchvision's transforms: image, masks, boxes and labels must stay together."""

import cv2
import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS
from tests.datasets.transforms.results import apply, results_of

BOXES = [(20, 10, 60, 50), (80, 20, 120, 76)]
GEOMETRY = [
    [dict(type='RandomHorizontalFlip', p=1.0)],
    [dict(type='RandomRotation', degrees=40, interpolation='bilinear', fill=7)],
    [dict(type='RandomAffine', degrees=20, translate=(0.3, 0.3), shear=10)],
    [dict(type='RandomPerspective', distortion_scale=0.5, p=1.0)],
    [dict(type='RandomResizedCrop', size=(60, 90), scale=(0.2, 1.0))],
    [
        dict(type='ScaleJitter', target_size=(90, 90), scale_range=(0.9, 1.5)),
        dict(type='RandomCrop', size=(50, 50)),
    ],
    [dict(type='RandomZoomOut', fill=7, p=1.0)],
    [dict(type='RandomIoUCrop')],
    [dict(type='RandomIoUCrop'), dict(type='SanitizeBoundingBoxes')],
    [dict(type='ElasticTransform', alpha=30.0)],
    [dict(type='ConvertBoundingBoxFormat', format='CXCYWH')],
    [
        dict(
            type='RandomChoice',
            transforms=[dict(type='Resize', size=50), dict(type='Pad', padding=9)],
        )
    ],
]


def steps(transforms: list[dict]) -> str:
    return '-'.join(each['type'] for each in transforms)


@pytest.mark.parametrize('transforms', GEOMETRY, ids=steps)
def test_masks_stay_on_their_objects_and_boxes_around_masks(transforms):
    given = results_of(BOXES, 80, 128)
    given['gt_bboxes_labels'] = np.array([3, 4])
    given['gt_ignore_flags'] = np.array([False, True])
    seen = 0
    for _ in range(15):
        results = apply('TorchVision', given, transforms=transforms)
        assert results['img'].shape == (*results['img_shape'], 3)
        assert results['img'].flags.c_contiguous
        assert results['gt_bboxes'].dtype == np.float32
        assert results['gt_masks'].masks.shape[1:] == results['img_shape']
        assert (results['gt_ignore_flags'] == (results['gt_bboxes_labels'] == 4)).all()
        for label, (x1, y1, x2, y2), mask in zip(
            results['gt_bboxes_labels'],
            results['gt_bboxes'],
            results['gt_masks'].masks,
            strict=True,
        ):
            assert x1 < x2 and y1 < y2
            shown = np.abs(results['img'][..., 0].astype(int) - (50 * label - 50)) < 5
            inside = cv2.erode(np.pad(mask, 2), np.ones((5, 5), np.uint8))[2:-2, 2:-2] > 0
            assert shown[inside].all()
            rows, columns = np.nonzero(mask)
            if transforms[0]['type'] != 'ElasticTransform' and len(rows):
                assert x1 - 2 < columns.min() and columns.max() + 1 < x2 + 2
                assert y1 - 2 < rows.min() and rows.max() + 1 < y2 + 2
            seen += len(rows) > 0
    assert seen > 8
    assert given['gt_bboxes'].tolist() == [list(map(float, box)) for box in BOXES]
    assert given['gt_masks'].masks.sum() == results_of(BOXES, 80, 128)['gt_masks'].masks.sum()


@pytest.mark.parametrize('transforms', GEOMETRY, ids=steps)
def test_images_without_instances(transforms):
    results = apply('TorchVision', results_of([], 80, 128), transforms=transforms)
    assert results['gt_bboxes'].shape == (0, 4)
    assert results['gt_masks'].masks.shape == (0, *results['img_shape'])


def test_instances_that_leave_the_image_are_left_out():
    given = results_of([(0, 0, 10, 10), (80, 20, 120, 76)], 80, 128)
    results = apply('TorchVision', given, transforms=[dict(type='CenterCrop', size=(78, 120))])
    assert results['gt_bboxes_labels'].tolist() == [0, 1]
    results = apply('TorchVision', given, transforms=[dict(type='CenterCrop', size=(70, 100))])
    assert results['gt_bboxes_labels'].tolist() == [1]
    assert results['gt_bboxes'].tolist() == [[66, 15, 100, 70]]
    assert len(results['gt_masks']) == len(results['gt_ignore_flags']) == 1


def test_an_image_alone_and_its_channels():
    blue = dict(img=np.full((4, 6, 3), (255, 0, 0), np.uint8))
    grey = apply('TorchVision', blue, transforms=[dict(type='Grayscale', num_output_channels=3)])
    assert grey['img'][0, 0].tolist() == [29, 29, 29]
    same = apply('TorchVision', blue, transforms=[dict(type='Identity')])
    np.testing.assert_array_equal(same['img'], blue['img'])
    assert same.keys() == {'img', 'img_shape'}


@pytest.mark.parametrize(
    ('transforms', 'said'),
    [
        ([], 'transforms is'),
        ([dict(p=1)], 'is not a dict with'),
        ([dict(type='RandomRotate')], "no 'RandomRotate'; did you mean 'RandomRotation'"),
        ([dict(type='RandomGrayscale', q=1)], 'RandomGrayscale: .*q'),
        ([dict(type='RandomRotation', degrees=5, interpolation='smooth')], 'RandomRotation: .*sm'),
        ([dict(type='MixUp', num_classes=3)], 'for batches'),
        ([dict(type='RandomApply', transforms=[dict(type='Nothing')])], "no 'Nothing'"),
    ],
)
def test_wrong_arguments(transforms, said):
    with pytest.raises(UserError, match=f'TorchVision.*{said}'):
        TRANSFORMS.build(dict(type='TorchVision', transforms=transforms))


def test_what_is_no_image_is_refused():
    image = dict(img=results_of()['img'])
    with pytest.raises(UserError, match=r'TorchVision: what comes out .* FiveCrop'):
        apply('TorchVision', image, transforms=[dict(type='FiveCrop', size=10)])
    with pytest.raises(UserError, match='TorchVision: Required crop size'):
        apply('TorchVision', image, transforms=[dict(type='RandomCrop', size=100)])
    with pytest.raises(UserError, match='uint8 image, not float32'):
        given = results_of() | dict(img=np.zeros((40, 64, 3), np.float32))
        apply('TorchVision', given, transforms=[dict(type='Identity')])
