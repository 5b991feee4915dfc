"""Each step of a pipeline: image, boxes and masks must stay together."""

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from mmdet.datasets.transforms import RandomChoiceResize, RandomResize, Resize
from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS
from tests.datasets.transforms.results import apply, results_of


def check_alignment(results: dict) -> None:
    """The mask is where the image shows the instance, and the box around it."""
    for label, mask in zip(results['gt_bboxes_labels'], results['gt_masks'].masks, strict=True):
        shown = np.abs(results['img'][..., 0].astype(int) - (100 + 50 * label)) < 5
        assert (shown & (mask > 0)).sum() > 0.8 * mask.sum()
    drawn = results['gt_masks'].get_bboxes()
    np.testing.assert_allclose(results['gt_bboxes'], drawn, atol=1.01)
    assert results['gt_bboxes'].dtype == np.float32
    assert results['img'].shape[:2] == results['img_shape']
    assert results['gt_masks'].masks.shape[1:] == results['img_shape']


@pytest.mark.parametrize(
    ('name', 'arguments', 'shape'),
    [
        ('Resize', dict(scale=(128, 80), keep_ratio=True), (80, 128)),
        ('Resize', dict(scale=(96, 80), keep_ratio=True), (60, 96)),
        ('Resize', dict(scale=(100, 50)), (50, 100)),
        ('Resize', dict(scale_factor=0.5), (20, 32)),
        ('RandomResize', dict(scale=(64, 40), ratio_range=(2.0, 2.0), keep_ratio=True), (80, 128)),
        ('RandomChoiceResize', dict(scales=[(96, 60)], keep_ratio=True), (60, 96)),
        ('RandomChoiceResize', dict(scales=[(96, 60)], resize_type=Resize), (60, 96)),
        ('RandomFlip', dict(prob=1.0), (40, 64)),
        ('RandomFlip', dict(prob=1.0, direction='vertical'), (40, 64)),
        ('RandomFlip', dict(prob=1.0, direction='diagonal'), (40, 64)),
        ('RandomCrop', dict(crop_size=(60, 38), recompute_bbox=True), (38, 60)),
        ('RandomCrop', dict(crop_size=(500, 600)), (40, 64)),
        ('Pad', dict(size=(70, 50)), (50, 70)),
        ('Pad', dict(size=(50, 50)), (50, 64)),
        ('Pad', dict(size_divisor=32, padding_mode='reflect'), (64, 64)),
        ('Pad', dict(pad_to_square=True, pad_val=dict(img=7)), (64, 64)),
    ],
)
def test_image_boxes_and_masks_stay_together(name, arguments, shape):
    results = apply(name, results_of(), **arguments)
    assert results['img_shape'] == shape
    check_alignment(results)


@pytest.mark.parametrize(
    'transform',
    [
        RandomResize((64, 40), ratio_range=(2.0, 2.0), keep_ratio=True),
        RandomChoiceResize([(96, 60)], keep_ratio=True),
    ],
)
def test_the_resize_inside_is_ours_whatever_names_mean_by_default(transform):
    with DefaultScope.overwrite_default_scope('mmengine'):
        check_alignment(transform(results_of()))


def test_padding_is_at_the_right_and_at_the_bottom():
    results = apply('Pad', results_of(), size=(70, 50), pad_val=dict(img=(7, 8, 9)))
    np.testing.assert_array_equal(results['img'][:40, :64], results_of()['img'])
    assert (results['img'][40:] == (7, 8, 9)).all()
    assert (results['img'][:, 64:] == (7, 8, 9)).all()
    assert results['gt_masks'].areas.tolist() == [20 * 20, 20 * 28]


def test_large_scale_jitter_annotates_just_what_it_shows():
    jitter = Compose(
        [
            dict(
                type='RandomResize',
                scale=(64, 40),
                ratio_range=(0.1, 2.0),
                keep_ratio=True,
                interpolation='nearest',  # so that greys stay as they are
            ),
            dict(
                type='RandomCrop',
                crop_type='absolute_range',
                crop_size=(10, 40),
                recompute_bbox=True,
                allow_negative_crop=True,
            ),
            dict(type='FilterAnnotations', min_gt_bbox_wh=(1e-2, 1e-2), keep_empty=False),
            dict(type='RandomFlip', prob=0.5),
            dict(type='Pad', size=(40, 40)),
        ]
    )
    np.random.seed(0)
    numbers = set()
    for _ in range(50):
        results = jitter(results_of())
        grey = results['img'][..., 0]
        shown = [label for label in (0, 1) if (grey == 100 + 50 * label).any()]
        assert results['gt_bboxes_labels'].tolist() == shown
        for label, mask in zip(shown, results['gt_masks'].masks, strict=True):
            np.testing.assert_array_equal(mask > 0, grey == 100 + 50 * label)
        np.testing.assert_array_equal(results['gt_bboxes'], results['gt_masks'].get_bboxes())
        assert results['img_shape'] == grey.shape == (40, 40)
        numbers.add(len(shown))
    assert numbers == {0, 1, 2}


def test_resize_tells_its_factors():
    assert apply('Resize', results_of(), scale=(128, 80))['scale_factor'] == (2.0, 2.0)


def test_a_flip_turns_the_image_over():
    results = apply('RandomFlip', results_of(), prob=1.0)
    assert results['gt_bboxes'][0].tolist() == [64 - 30, 5, 64 - 10, 25]
    assert (results['flip'], results['flip_direction']) == (True, 'horizontal')


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
@pytest.mark.parametrize('direction', ['horizontal', 'vertical', 'diagonal'])
def test_a_flipped_image_is_that_of_numpy_and_lies_forwards_in_memory(direction, dtype):
    image = np.random.default_rng(0).integers(0, 256, (40, 64, 3)).astype(dtype)
    given = results_of() | dict(img=image)
    flipped = apply('RandomFlip', given, prob=1.0, direction=direction)['img']
    axes = dict(horizontal=1, vertical=0, diagonal=(0, 1))[direction]
    np.testing.assert_array_equal(flipped, np.flip(image, axes))
    assert flipped.flags.c_contiguous
    assert flipped.dtype == dtype


@pytest.mark.parametrize('name', ['Resize', 'RandomFlip', 'RandomCrop', 'Pad'])
def test_images_without_instances(name):
    arguments = dict(
        Resize=dict(scale=(32, 20)),
        RandomFlip=dict(prob=1.0),
        RandomCrop=dict(crop_size=(20, 32), allow_negative_crop=True),
        Pad=dict(size=(100, 50)),
    )
    results = apply(name, results_of([]), **arguments[name])
    assert results['gt_bboxes'].shape == (0, 4)
    assert results['gt_masks'].masks.shape == (0, *results['img_shape'])


@pytest.mark.parametrize(
    'name', ['RandomCrop', 'FilterAnnotations', 'PackDetInputs', 'LoadAnnotations']
)
def test_results_are_not_changed_in_place(name):
    arguments = dict(
        RandomCrop=dict(crop_size=(60, 38), recompute_bbox=True),
        FilterAnnotations=dict(min_gt_bbox_wh=(20, 20)),
        PackDetInputs=dict(),
        LoadAnnotations=dict(with_mask=True),
    )
    given = results_of()
    before = {**given}
    apply(name, given, **arguments[name])
    assert given.keys() == before.keys()
    assert all(given[key] is before[key] for key in before)
    fresh = results_of()
    assert (given['img'] == fresh['img']).all()
    assert (given['gt_bboxes'] == fresh['gt_bboxes']).all()
    assert (given['gt_masks'].masks == fresh['gt_masks'].masks).all()


class TestRandomCrop:
    def test_instances_outside_are_left_out_with_all_they_have(self):
        np.random.seed(0)
        for _ in range(20):
            results = apply('RandomCrop', results_of(), crop_size=(30, 20), recompute_bbox=True)
            if results is not None:
                assert 1 <= len(results['gt_masks']) <= 2
                assert len(results['gt_masks']) == len(results['gt_bboxes_labels'])
                for label, mask in zip(
                    results['gt_bboxes_labels'], results['gt_masks'].masks, strict=True
                ):
                    assert (results['img'][mask > 0] == 100 + 50 * label).all()

    def test_a_window_without_instances_is_refused_or_allowed(self):
        corner = results_of([(0, 0, 2, 2)])
        np.random.seed(1)
        refused = [apply('RandomCrop', corner, crop_size=(4, 4)) for _ in range(20)]
        assert None in refused
        np.random.seed(1)
        allowed = [
            apply('RandomCrop', corner, crop_size=(4, 4), allow_negative_crop=True)
            for _ in range(20)
        ]
        assert all(results is not None for results in allowed)
        assert any(len(results['gt_bboxes']) == 0 for results in allowed)

    @pytest.mark.parametrize(
        ('crop_type', 'size', 'heights', 'widths'),
        [
            ('absolute_range', (10, 20), (10, 20), (10, 20)),
            ('absolute_range', (10, 500), (10, 40), (10, 64)),
            ('absolute', (20, 10), (10, 10), (20, 20)),
            ('relative', (0.5, 0.25), (10, 10), (32, 32)),
            ('relative_range', (0.5, 0.25), (20, 40), (16, 64)),
        ],
    )
    def test_sizes(self, crop_type, size, heights, widths):
        for _ in range(20):
            results = apply(
                'RandomCrop',
                results_of(),
                crop_size=size,
                crop_type=crop_type,
                allow_negative_crop=True,
            )
            height, width = results['img_shape']
            assert heights[0] <= height <= heights[1]
            assert widths[0] <= width <= widths[1]

    def test_boxes_may_reach_over_the_border(self):
        whole = [(0, 0, 64, 40)]
        arguments = dict(crop_size=(20, 20))
        clipped = apply('RandomCrop', results_of(whole), **arguments)
        assert clipped['gt_bboxes'][0].tolist() == [0, 0, 20, 20]
        kept = apply('RandomCrop', results_of(whole), **arguments, bbox_clip_border=False)
        assert (kept['gt_bboxes'][0, 2:] - kept['gt_bboxes'][0, :2]).tolist() == [64, 40]

    @pytest.mark.parametrize(
        'arguments',
        [
            dict(crop_size=(2, 2), crop_type='square'),
            dict(crop_size=(2, 2), crop_type='relative'),
            dict(crop_size=(0, 2)),
            dict(crop_size=(20, 10), crop_type='absolute_range'),
        ],
    )
    def test_wrong_arguments(self, arguments):
        with pytest.raises(UserError, match='crop'):
            TRANSFORMS.build(dict(type='RandomCrop', **arguments))


class TestFilterAnnotations:
    def test_by_box(self):
        boxes = [(10, 5, 30, 25), (40, 10, 41, 38)]
        results = apply('FilterAnnotations', results_of(boxes), min_gt_bbox_wh=(2, 2))
        assert results['gt_bboxes_labels'].tolist() == [0]
        assert len(results['gt_masks']) == 1

    def test_by_mask(self):
        results = apply(
            'FilterAnnotations', results_of(), by_box=False, by_mask=True, min_gt_mask_area=500
        )
        assert results['gt_bboxes_labels'].tolist() == [1]

    def test_an_image_that_loses_everything(self):
        arguments = dict(min_gt_bbox_wh=(100, 100))
        assert apply('FilterAnnotations', results_of(), **arguments) is None
        left = apply('FilterAnnotations', results_of(), **arguments, keep_empty=False)
        assert len(left['gt_bboxes']) == 0

    def test_nothing_to_filter_by(self):
        with pytest.raises(UserError, match='needs by_box or by_mask'):
            TRANSFORMS.build(dict(type='FilterAnnotations', by_box=False))

    def test_an_image_that_had_nothing_stays(self):
        assert apply('FilterAnnotations', results_of([])) is not None


class TestPackDetInputs:
    def test_what_the_worker_sends(self):
        results = results_of()
        results['gt_ignore_flags'][0] = True
        packed = apply('PackDetInputs', results, meta_keys=('ori_shape',))
        sample = packed['data_samples']
        assert packed['inputs'].shape == (3, 40, 64)
        assert packed['inputs'].is_contiguous()
        assert sample.ori_shape == (40, 64)
        assert 'img_shape' not in sample
        assert sample.gt_instances.labels.tolist() == [1]
        assert sample.gt_instances.masks.bits.numel() == 28 * -(-20 // 8)  # of its box
        np.testing.assert_array_equal(
            sample.gt_instances.masks.to_ndarray(), results['gt_masks'].masks[1:]
        )
        assert len(results['gt_bboxes']) == 2  # what came in is as it was

    @pytest.mark.parametrize('dtype', [np.uint8, np.float32])
    @pytest.mark.parametrize('part', [np.s_[:], np.s_[3:20, 5:40], np.s_[:, ::-1]])
    def test_an_image_becomes_planes(self, dtype, part):
        image = np.random.default_rng(0).integers(0, 256, (40, 64, 3)).astype(dtype)[part]
        planes = apply('PackDetInputs', dict(img=image))['inputs']
        np.testing.assert_array_equal(planes.numpy(), image.transpose(2, 0, 1))
        assert planes.is_contiguous()

    def test_without_annotations(self):
        packed = apply('PackDetInputs', dict(img=np.zeros((4, 6, 3), np.uint8)))
        assert 'gt_instances' not in packed['data_samples']
