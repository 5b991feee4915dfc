import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS
from tests.datasets.transforms.results import apply

POLYGON = [[10.0, 10.0, 30.0, 10.0, 30.0, 30.0, 10.0, 30.0]]
RUN_LENGTHS = dict(size=[40, 60], counts=[400, 30, 2400 - 430])  # 30 pixels down column 10


def item() -> dict:
    masks = (POLYGON, RUN_LENGTHS)
    instances = [
        dict(bbox=[10, 10, 30, 30], bbox_label=label, ignore_flag=0, mask=mask)
        for label, mask in enumerate(masks)
    ]
    return dict(instances=instances, ori_shape=(40, 60))


@pytest.mark.parametrize('poly2mask', [True, False])
def test_masks_are_bitmaps(poly2mask):
    """Of polygons and of RLE, which mmdetection ignores where it keeps polygons."""
    results = apply('LoadAnnotations', item(), with_mask=True, poly2mask=poly2mask)
    polygon, run_lengths = results['gt_masks'].masks
    assert polygon[10:30, 10:30].sum() == polygon.sum() == 400
    assert run_lengths[:30, 10].sum() == run_lengths.sum() == 30
    assert results['gt_ignore_flags'].tolist() == [False, False]


@pytest.mark.parametrize('box_type', ['hbox', None])
def test_boxes_are_arrays(box_type):
    results = apply('LoadAnnotations', item(), box_type=box_type)
    assert results['gt_bboxes'].tolist() == [[10, 10, 30, 30]] * 2
    assert results['gt_bboxes'].dtype == np.float32
    assert 'gt_masks' not in results


def test_other_boxes_are_refused():
    with pytest.raises(UserError, match="no box_type 'rbox'"):
        TRANSFORMS.build(dict(type='LoadAnnotations', box_type='rbox'))


@pytest.mark.parametrize(
    ('older', 'wanted'),
    [
        (None, None),
        (dict(backend='disk'), dict(backend='local')),
        (dict(backend='petrel', conf='~/a'), dict(backend='petrel', conf='~/a')),
    ],
)
def test_file_clients_of_older_configs_are_backends(older, wanted):
    transform = TRANSFORMS.build(dict(type='LoadImageFromFile', file_client_args=older))
    assert transform.backend_args == wanted


def test_images_that_cannot_be_read_may_be_passed_over(tmp_path):
    results = dict(img_path=str(tmp_path / 'none.png'))
    assert apply('LoadImageFromFile', results, ignore_empty=True) is None
