"""mmdetection's augmentations: what must hold of them whatever is drawn.

`test_peer.py` holds them against mmdetection's own.
"""

import cv2
import numpy as np
import pytest

from mmdet.errors import UserError
from mmdet.registry import TRANSFORMS
from mmdet.structures.coded_masks import masks_of
from tests.datasets.transforms.results import apply, results_of

BOXES = [(20, 10, 60, 50), (80, 20, 120, 76)]
SHAPE = (80, 128)
COLOURS = {
    name: {}
    for name in (
        *('AutoContrast', 'Brightness', 'Color', 'Contrast', 'Equalize', 'Invert', 'Posterize'),
        *('PhotoMetricDistortion', 'Sharpness', 'Solarize', 'SolarizeAdd', 'YOLOXHSVRandomAug'),
    )
} | dict(CutOut=dict(n_holes=5, cutout_ratio=(0.3, 0.3)))
# Those that move pixels, or take some away.
MOVES = dict(
    Expand=dict(prob=1.0),
    FixShapeResize=dict(width=100, height=90, keep_ratio=True),
    MinIoURandomCrop={},
    RandomAffine=dict(max_rotate_degree=40.0),
    RandomCenterCropPad=dict(crop_size=(100, 60), border=40),
    RandomErasing=dict(n_patches=(1, 4), ratio=(0.1, 0.5)),
    RandomShift=dict(prob=1.0, max_shift_px=100),
    Rotate=dict(min_mag=5.0, max_mag=90.0),
    ShearX={},
    ShearY={},
    TranslateX=dict(max_mag=0.6),
    TranslateY=dict(max_mag=0.6),
)
MIXES = dict(Mosaic=dict(img_scale=(100, 90)), MixUp=dict(img_scale=(100, 90)))
ALL = COLOURS | MOVES | MIXES | dict(AutoAugment={}, RandAugment={})


def given(name: str, boxes: list = BOXES) -> dict:
    """Results with all that a transform needs."""
    results = results_of(boxes, *SHAPE)
    if name == 'RandomCenterCropPad':
        results['img'] = results['img'].astype(np.float32)
    if name in MIXES:
        others = [results_of(boxes, 60, 100 + 20 * index) for index in range(3)]
        results['mix_results'] = others if name == 'Mosaic' else others[:1]
    return results


def draws(name: str, results: dict, number: int = 30) -> list[dict]:
    found = (apply(name, results, **ALL[name]) for _ in range(number))
    return [each for each in found if each is not None]


@pytest.mark.parametrize('name', [*MOVES, 'Mosaic'])
def test_masks_stay_on_their_objects_and_boxes_around_masks(name):
    seen = 0
    for results in draws(name, given(name)):
        height, width = results['img_shape']
        assert results['img'].shape == (height, width, 3)
        assert results['gt_masks'].masks.shape[1:] == (height, width)
        number = len(results['gt_masks'])
        assert results['gt_bboxes'].shape == (number, 4)
        assert results['gt_bboxes'].dtype == np.float32
        assert len(results['gt_bboxes_labels']) == len(results['gt_ignore_flags']) == number
        for label, box, mask in zip(
            results['gt_bboxes_labels'],
            results['gt_bboxes'],
            results['gt_masks'].masks,
            strict=True,
        ):
            shown = np.abs(results['img'][..., 0].astype(int) - (100 + 50 * label)) < 5
            # Outlines are interpolated.
            inside = cv2.erode(np.pad(mask, 1), np.ones((3, 3), np.uint8))[1:-1, 1:-1] > 0
            assert shown[inside].all()
            rows, columns = np.nonzero(mask)
            if len(rows):
                # A turn moves edges of boxes and middles of pixels alike: by less than two pixels.
                x1, y1, x2, y2 = box
                assert x1 - 2 < columns.min() and columns.max() + 1 < x2 + 2
                assert y1 - 2 < rows.min() and rows.max() + 1 < y2 + 2
                seen += 1
    assert seen > 20


@pytest.mark.parametrize('name', ALL)
def test_images_without_instances(name):
    for results in draws(name, given(name, []), 5):
        assert results['gt_bboxes'].shape == (0, 4)
        assert results['gt_masks'].masks.shape == (0, *results['img_shape'])
        assert results['img'].shape == (*results['img_shape'], 3)


@pytest.mark.parametrize('name', ALL)
def test_results_are_not_changed_in_place(name):
    results, fresh = given(name), given(name)
    before = {**results}
    draws(name, results)
    assert results.keys() == before.keys()
    assert all(results[key] is before[key] for key in before)
    pairs = [(results, fresh)]
    pairs += zip(results.get('mix_results', []), fresh.get('mix_results', []), strict=True)
    for each, expected in pairs:
        for key in ('img', 'gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags'):
            np.testing.assert_array_equal(each[key], expected[key])
        np.testing.assert_array_equal(each['gt_masks'].masks, expected['gt_masks'].masks)


@pytest.mark.parametrize('name', ALL)
def test_masks_of_a_data_set_do_as_bitmaps(name):
    plain, coded = given(name), given(name)
    for each in (coded, *coded.get('mix_results', [])):
        rectangles = [[[x1, y1, x2, y1, x2, y2, x1, y2]] for x1, y1, x2, y2 in BOXES]
        each['gt_masks'] = masks_of(rectangles, *each['img_shape'])
    for seed in range(5):
        np.random.seed(seed)
        expected = apply(name, plain, **ALL[name])
        np.random.seed(seed)
        found = apply(name, coded, **ALL[name])
        np.testing.assert_array_equal(found['gt_masks'].masks, expected['gt_masks'].masks)


@pytest.mark.parametrize('name', COLOURS)
def test_colours_change_the_image_alone(name):
    results = given(name)
    results['img'] = np.random.default_rng(0).integers(20, 200, (*SHAPE, 3), np.uint8)
    found = draws(name, results, 20)
    assert any((each['img'] != results['img']).any() for each in found)
    for each in found:
        assert each['img'].shape == results['img'].shape
        assert all(each[key] is results[key] for key in results if key != 'img')


@pytest.mark.parametrize('name', [*COLOURS, *MOVES])
def test_images_without_annotations(name):
    results = given(name)
    image = {key: results[key] for key in ('img', 'img_shape')}
    assert apply(name, image, **ALL[name])['img'].ndim == 3


@pytest.mark.parametrize('name', ['Rotate', 'Invert', 'Expand', 'RandomShift'])
def test_prob_0_changes_nothing(name):
    results = given(name)
    assert all(apply(name, results, prob=0) is results for _ in range(10))


def test_the_sign_of_a_magnitude():
    """`reversal_prob` is how often it is kept, as in mmdetection."""
    moved = apply('TranslateX', given('TranslateX'), level=10, reversal_prob=1.0)
    assert moved['gt_bboxes'][0].tolist() == [20 + 12, 10, 60 + 12, 50]
    assert (moved['img'][:, :12] == 128).all()
    moved = apply('TranslateX', given('TranslateX'), level=10, reversal_prob=0.0)
    assert moved['gt_bboxes'][0].tolist() == [20 - 12, 10, 60 - 12, 50]


def test_erasing_takes_away_instances_and_pixels():
    arguments = dict(n_patches=1, ratio=1.0)
    results = apply('RandomErasing', given('RandomErasing'), **arguments)
    assert len(results['gt_masks']) == 0
    assert (results['img'] == 128).all()
    kept = apply('RandomErasing', given('RandomErasing'), **arguments, bbox_erased_thr=2.0)
    assert kept['gt_bboxes'].tolist() == given('')['gt_bboxes'].tolist()
    assert kept['gt_masks'].areas.tolist() == [0, 0]
    filled = apply(
        'RandomErasing',
        given('RandomErasing'),
        **arguments,
        bbox_erased_thr=2.0,
        mask_border_value=1,
    )
    assert filled['gt_masks'].areas.tolist() == [80 * 128] * 2


def test_a_shift_that_leaves_no_instance_is_none():
    far = results_of([(0, 0, 4, 4)], *SHAPE)
    shifts = [apply('RandomShift', far, prob=1.0, max_shift_px=500) for _ in range(30)]
    assert any(each is far for each in shifts)
    assert all(len(each['gt_bboxes']) for each in shifts)


@pytest.mark.parametrize(
    ('name', 'arguments'),
    [
        ('RandomAffine', dict(max_translate_ratio=1.0)),
        ('RandomShift', dict(prob=1.0, max_shift_px=100)),
        ('Mosaic', dict(img_scale=(100, 90), center_ratio_range=(1.5, 1.9))),
    ],
)
def test_what_leaves_the_image_is_left_out(name, arguments):
    found = [apply(name, given(name), **arguments) for _ in range(30)]
    numbers = {len(each['gt_bboxes']) for each in found}
    assert len(numbers) > 1
    for each in found:
        boxes = each['gt_bboxes']
        assert (boxes[:, :2] < boxes[:, 2:]).all()
        assert len(boxes) == len(each['gt_masks']) == len(each['gt_bboxes_labels'])


def test_a_portrait_fits_a_landscape():
    tall = results_of([(10, 10, 30, 90)], 120, 60)
    results = apply('FixShapeResize', tall, width=100, height=80, keep_ratio=True)
    assert results['img_shape'] == (80, 100)
    assert results['scale_factor'] == (80 / 120, 80 / 120)
    assert not results['img'][:, 40:].any()
    assert results['gt_masks'].masks[:, :, 40:].sum() == 0 < results['gt_masks'].areas[0]


def test_center_crop_pad_shows_the_mean_where_there_is_nothing():
    results = given('RandomCenterCropPad')
    found = apply(
        'RandomCenterCropPad', results, crop_size=(400, 400), ratios=[1.0], mean=(1, 2, 3)
    )
    assert found['img_shape'] == (400, 400)
    assert found['img'][0, 0].tolist() == [3, 2, 1]
    with pytest.raises(UserError, match='to_float32=True'):
        apply('RandomCenterCropPad', results_of(), crop_size=(40, 40))


@pytest.mark.parametrize(
    ('name', 'arguments'),
    [
        ('RandomCenterCropPad', dict(crop_size=(80, 50), border=10)),
        ('MinIoURandomCrop', dict(min_ious=(0.0,))),
    ],
)
def test_instances_whose_middle_is_outside_a_window_are_left_out(name, arguments):
    numbers = set()
    for _ in range(30):
        results = apply(name, given(name), **arguments, bbox_clip_border=False)
        height, width = results['img_shape']
        boxes = results['gt_bboxes']
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        assert (centres > 0).all() and (centres < (width, height)).all()
        assert len(boxes) == len(results['gt_masks']) == len(results['gt_ignore_flags'])
        numbers.add(len(boxes))
    assert numbers == {1, 2}


def test_every_box_has_an_iou_with_the_window():
    transform = TRANSFORMS.build(dict(type='MinIoURandomCrop', bbox_clip_border=False))
    transform.modes = (0.6,)
    for _ in range(10):
        results = transform(results_of([(20, 10, 100, 70)], *SHAPE))
        height, width = results['img_shape']
        (x1, y1, x2, y2) = results['gt_bboxes'][0]
        shared = (min(x2, width) - max(x1, 0)) * (min(y2, height) - max(y1, 0))
        assert shared / (height * width + 80 * 60 - shared) >= 0.6


def test_mixup_shows_both():
    results = given('MixUp')
    other = results['mix_results'][0]
    other['gt_bboxes_labels'] = other['gt_bboxes_labels'] + 7
    arguments = dict(img_scale=(100, 60), ratio_range=(1.0, 1.0), flip_ratio=1.0)
    found = apply('MixUp', results, **arguments)
    assert found['gt_bboxes_labels'].tolist() == [0, 1, 7, 8]
    first, _, second, _ = found['gt_masks'].masks
    assert (first == results['gt_masks'].masks[0]).all()
    assert second[:60, :100].sum() == second.sum() == other['gt_masks'].areas[0]
    both = (first > 0) & (second > 0)
    assert (found['img'][both] == 100).all()
    mirrored = apply('MixUp', results, **{**arguments, 'flip_ratio': 0.0})
    assert mirrored['gt_bboxes'][2].tolist() == [100 - 60, 10, 100 - 20, 50]
    np.testing.assert_array_equal(
        mirrored['gt_masks'].masks[2],
        np.pad(other['gt_masks'].masks[0][:, ::-1], ((0, 20), (0, 28))),
    )


def test_a_float_image_has_no_8_bit_hue():
    given = results_of() | dict(img=np.zeros((40, 64, 3), np.float32))
    with pytest.raises(UserError, match='uint8 image, not float32: put it before'):
        apply('YOLOXHSVRandomAug', given)


def test_mixup_looks_for_an_image_with_instances():
    class DataSet:
        def __len__(self) -> int:
            return 10

        def get_data_info(self, index: int) -> dict:
            return dict(instances=[1] if index == 3 else [])

    transform = TRANSFORMS.build(dict(type='MixUp', max_iters=200))
    assert [transform.get_indexes(DataSet()) for _ in range(5)] == [3] * 5


@pytest.mark.parametrize('name', MIXES)
def test_without_other_images(name):
    with pytest.raises(UserError, match=f'{name} needs .* MultiImageMixDataset'):
        apply(name, results_of())


def test_a_sequence_ends_where_an_image_is_skipped():
    gone = dict(type='FilterAnnotations', min_gt_bbox_wh=(500, 500))
    assert apply('AutoAugment', results_of(), policies=[[gone, dict(type='Invert')]]) is None
    space = [[gone], [dict(type='Invert')]]
    assert apply('RandAugment', results_of(), aug_space=space, aug_num=2) is None


def test_a_policy_is_chosen_by_its_probability():
    policies = [[dict(type='Invert')], [dict(type='Brightness', level=0, min_mag=0.0)]]
    dark = apply('AutoAugment', results_of(), policies=policies, prob=[0.0, 1.0])
    assert not dark['img'].any()


@pytest.mark.parametrize(
    ('name', 'arguments', 'said'),
    [
        ('Color', dict(prob=2), 'prob is 2'),
        ('Color', dict(level=11), 'level is 11'),
        ('Color', dict(level=1.5), 'level is 1.5, not an integer'),
        ('Brightness', dict(max_mag=2.5), 'max_mag is 2.5, not a number from 0 to 2'),
        ('Solarize', dict(min_mag=200.0, max_mag=100.0), 'min_mag 200.0 is above max_mag 100.0'),
        ('Rotate', dict(max_mag=200.0), 'max_mag is 200.0, not a number from 0 to 180'),
        ('ShearX', dict(reversal_prob=-1), 'reversal_prob is -1'),
        ('ShearY', dict(interpolation='cubic'), "interpolation is 'cubic', not one of nearest"),
        ('TranslateX', dict(img_border_value=(1, 2)), r'img_border_value is \(1, 2\)'),
        ('TranslateY', dict(img_border_value=300), 'img_border_value is 300'),
        ('AutoAugment', dict(policies=[]), 'policies is'),
        ('AutoAugment', dict(policies=[[dict(type='Invert')]], prob=[0.5]), 'prob is'),
        ('RandAugment', dict(aug_space=[dict(type='Invert')]), 'aug_space is'),
        ('RandAugment', dict(aug_num=16), 'aug_num is 16, not a number from 1 to 15'),
        ('PhotoMetricDistortion', dict(contrast_range=(2, 1)), r'contrast_range is \(2, 1\)'),
        ('PhotoMetricDistortion', dict(hue_delta=400), 'hue_delta is 400'),
        ('YOLOXHSVRandomAug', dict(hue_delta=200), 'hue_delta is 200'),
        ('Expand', dict(ratio_range=(0.5, 2)), 'ratio_range is'),
        ('Expand', dict(mean=(1, 2)), 'mean is'),
        ('RandomShift', dict(max_shift_px=-1), 'max_shift_px is -1'),
        ('MinIoURandomCrop', dict(min_ious=(0.5, 2)), 'min_ious is 2'),
        ('MinIoURandomCrop', dict(min_crop_size=2), 'min_crop_size is 2'),
        ('RandomCenterCropPad', dict(crop_size=(1, 0)), 'crop_size is'),
        ('RandomCenterCropPad', dict(crop_size=(9, 9), test_mode=True), 'test_mode .* use Pad'),
        ('RandomCenterCropPad', dict(crop_size=(9, 9), border=0), 'border is 0'),
        ('RandomErasing', dict(n_patches=(3, 1), ratio=0.5), r'n_patches is \(3, 1\)'),
        ('RandomErasing', dict(n_patches=1, ratio=1.5), 'ratio is'),
        ('CutOut', dict(n_holes=1), 'needs cutout_shape or cutout_ratio'),
        ('CutOut', dict(n_holes=1, cutout_ratio=(0.5, 2)), 'cutout_ratio is 2'),
        ('CutOut', dict(n_holes=1, cutout_shape=(5, 5, 5)), 'cutout_shape has'),
        ('RandomAffine', dict(max_translate_ratio=2), 'max_translate_ratio is 2'),
        ('RandomAffine', dict(scaling_ratio_range=(0, 1)), 'scaling_ratio_range is'),
        ('FixShapeResize', dict(width=0, height=5), 'width is 0'),
        ('Mosaic', dict(img_scale=(0, 5)), 'img_scale is'),
        ('Mosaic', dict(center_ratio_range=(0.5, 3)), 'center_ratio_range is'),
        ('MixUp', dict(pad_val=300), 'pad_val is 300'),
        ('MixUp', dict(max_iters=0), 'max_iters is 0'),
    ],
)
def test_wrong_arguments(name, arguments, said):
    with pytest.raises(UserError, match=f'^{name}: .*{said}'):
        TRANSFORMS.build(dict(type=name, **arguments))
