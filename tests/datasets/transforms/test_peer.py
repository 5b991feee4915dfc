"""Transforms beside mmdetection 3.3's own, on images and masks of COCO's, with the same draws."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from mmdet.datasets import CocoDataset
from mmdet.datasets.transforms.instances import select_instances
from mmdet.registry import TRANSFORMS
from mmdet.structures import BitmapMasks
from tests.peer import ask

SEEDS = (0, 1, 2)
COLOURS = (
    *('AutoContrast', 'Brightness', 'Color', 'Contrast', 'Equalize', 'Invert'),
    *('Posterize', 'Sharpness', 'Solarize', 'SolarizeAdd'),
)
MOVES = ('Rotate', 'ShearX', 'ShearY', 'TranslateX', 'TranslateY')
CENTRE = dict(crop_size=(300, 200), mean=[9, 8, 7], std=[1, 1, 1], to_rgb=True, test_pad_mode=None)
# What they do to images, boxes and masks alike.
CASES = [
    *((name, {}) for name in (*COLOURS, *MOVES)),
    *((name, dict(level=7, prob=0.7)) for name in (*COLOURS, *MOVES)),
    ('Rotate', dict(img_border_value=(1, 2, 3), interpolation='nearest', reversal_prob=1.0)),
    ('AutoAugment', {}),
    ('RandAugment', dict(aug_num=3)),
    ('PhotoMetricDistortion', {}),
    ('YOLOXHSVRandomAug', {}),
    ('Expand', dict(mean=[123.7, 116.3, 103.5], prob=1.0)),
    ('Expand', dict(prob=1.0, to_rgb=False, ratio_range=(1, 1.5))),
    ('MinIoURandomCrop', {}),
    ('MinIoURandomCrop', dict(min_ious=(0.0, 0.05), min_crop_size=0.2, bbox_clip_border=False)),
    ('RandomErasing', dict(n_patches=(1, 5), ratio=(0, 0.4))),
    ('RandomErasing', dict(n_patches=3, ratio=(0.1, 0.9), squared=False, bbox_erased_thr=0.5)),
    ('CutOut', dict(n_holes=(2, 5), cutout_shape=[(50, 80), (10, 7)])),
    ('CutOut', dict(n_holes=3, cutout_ratio=(0.2, 0.1), fill_in=(9, 8, 7))),
    ('FixShapeResize', dict(width=300, height=200)),
    ('FixShapeResize', dict(width=320, height=320, keep_ratio=True, pad_val=dict(img=7))),
]
# Their masks are refused, or stay where they were, in mmdetection.
WITHOUT_MASKS = [
    ('RandomAffine', {}),
    ('RandomAffine', dict(border=(-50, -70), max_shear_degree=20.0, bbox_clip_border=False)),
    ('RandomShift', dict(prob=1.0, max_shift_px=200)),
    ('RandomCenterCropPad', CENTRE),
    ('RandomCenterCropPad', dict(CENTRE, bbox_clip_border=False, border=40)),
    ('Mosaic', dict(img_scale=(320, 200))),
    ('Mosaic', dict(img_scale=(200, 320), center_ratio_range=(0.2, 1.8), bbox_clip_border=False)),
    ('MixUp', dict(img_scale=(320, 200))),
    ('MixUp', dict(img_scale=(900, 700), bbox_clip_border=False)),
]


@pytest.fixture(scope='module')
def images(shared: Path) -> list[dict]:
    """Results of COCO's images, with some instances ignored."""
    root = shared / 'data/coco_tiny'
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    ]
    dataset = CocoDataset(
        data_root=str(root),
        ann_file='annotations/instances_train2017.json',
        data_prefix=dict(img='train2017/'),
        pipeline=pipeline,
    )
    return list(islice((each for each in dataset if len(each['gt_bboxes']) > 2), 4))


@pytest.fixture(scope='module')
def cases(images: list[dict]) -> list[dict]:
    """What both sides do: the first image, mixed with the others where it takes them."""
    cases = []
    for name, arguments in (*CASES, *WITHOUT_MASKS):
        for seed in SEEDS:
            given = _plain(images[seed], with_masks=(name, arguments) in CASES)
            if name in (*MOVES, 'AutoAugment', 'RandAugment'):
                # mmdetection makes channels of masks, and OpenCV rounds other numbers of them to
                # 1/32 of a pixel before it interpolates.
                given = select_instances(given, np.s_[:3])
            if name in ('Mosaic', 'MixUp'):
                others = [_plain(each, with_masks=False) for each in images]
                given['mix_results'] = others[1:] if name == 'Mosaic' else others[3:]
            if name == 'RandomCenterCropPad':
                given['img'] = given['img'].astype(np.float32)
            cases.append(dict(type=name, arguments=arguments, seed=seed, results=given))
    return cases


@pytest.fixture(scope='module')
def theirs(cases: list[dict]) -> list[dict]:
    """What mmdetection makes of the cases."""
    return ask(Path(__file__).with_name('peer.py'), cases)


def _plain(results: dict, *, with_masks: bool) -> dict:
    keys = ('img', 'img_shape', 'ori_shape', 'gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags')
    plain = {key: results[key] for key in keys}
    if with_masks:
        plain['gt_masks'] = np.ascontiguousarray(results['gt_masks'].masks)
    return plain


def _ours(results: dict) -> dict:
    if 'gt_masks' not in results:
        return results
    return {**results, 'gt_masks': BitmapMasks(results['gt_masks'], *results['img_shape'])}


@pytest.mark.parametrize('number', range(len(CASES) + len(WITHOUT_MASKS)))
def test_it_is_mmdetections(number, cases, theirs):
    seeds = slice(number * len(SEEDS), (number + 1) * len(SEEDS))
    for case, expected in zip(cases[seeds], theirs[seeds], strict=True):
        transform = TRANSFORMS.build(dict(type=case['type'], **case['arguments']))
        np.random.seed(case['seed'])
        found = transform(_ours(case['results']))
        assert found['img'].dtype == expected['img'].dtype
        np.testing.assert_array_equal(found['img'], expected['img'], err_msg=str(case['type']))
        for key in ('gt_bboxes_labels', 'gt_ignore_flags'):
            np.testing.assert_array_equal(found[key], expected[key], err_msg=str(case['type']))
        np.testing.assert_allclose(found['gt_bboxes'], expected['gt_bboxes'], rtol=1e-5, atol=1e-3)
        assert found['gt_bboxes'].dtype == np.float32
        assert found['img_shape'] == found['img'].shape[:2]
        if 'gt_masks' in case['results']:
            np.testing.assert_array_equal(found['gt_masks'].masks, expected['gt_masks'])
