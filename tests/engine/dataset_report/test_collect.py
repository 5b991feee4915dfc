"""The figures of hand-made data, counted by hand, and what is said to be amiss with it."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet.engine.dataset_report import collect
from mmdet.engine.dataset_report.grid import grid_of
from mmdet.errors import UserError
from tests.datasets.formats.scene import CLASSES, SCENE

from .data import LOAD, config_of, noise, scene_of, square, write_coco, write_scene


def figures_of(root: Path, **changes: object) -> dict:
    return collect(config_of(root, **changes), source='config.py').figures


def said(figures: dict) -> list[str]:
    return [each['said'] for each in figures['amiss']]


def numbers(bins: list[dict]) -> dict[str, int]:
    return {each['name']: each['number'] for each in bins if each['number']}


def test_the_figures_of_the_scene(tmp_path):
    write_scene(tmp_path)
    figures = figures_of(tmp_path)
    assert json.loads(json.dumps(figures)) == figures
    train, rest = figures['parts']
    assert (train['name'], rest['name']) == ('train', 'val and test')  # read once
    assert (train['images'], train['images_without_objects'], train['objects']) == (3, 1, 4)
    assert [(each['name'], each['objects'], each['images']) for each in train['classes']] == [
        ('cat', 1, 1),
        ('dog', 2, 1),
        ('old boat', 1, 1),
    ]
    assert numbers(train['image_sides']) == {'below 160 px': 3}
    assert train['image_side']['largest'] == pytest.approx((80 * 120) ** 0.5, abs=1e-3)
    assert train['input_side']['largest'] == pytest.approx((160 * 240) ** 0.5, abs=1e-3)
    assert numbers(train['image_aspects']) == {
        '0.5 to 0.8': 1,
        '0.99 to 1.01': 1,
        '1.25 to 2': 1,
    }
    assert numbers(train['objects_an_image']) == {'below 1': 1, '1 to 2': 1, '2 to 4': 1}
    # Each pixel becomes 2 x 2: sides are 38 of the rectangle, 63, 78 and 125.
    assert numbers(train['mask_sides']) == {'32 px to 64 px': 2, '64 px to 128 px': 2}
    assert numbers(train['object_sides_in_file']) == {
        '16 px to 32 px': 1,
        '32 px to 64 px': 2,
        '64 px to 128 px': 1,
    }
    assert train['crowds'] == train['tiny_masks'] == train['empty_masks'] == 0
    assert train['files'] == dict(looked_at=3, unusable=0, first=[])
    (pair,) = figures['twins']
    assert (pair['parts'], pair['images'], pair['twins']) == (['val and test', 'train'], 1, 0)


def test_where_centres_lie(tmp_path):
    """In the row and the column of the place, whatever the image's size."""
    images = [
        ('a.png', 120, 240, [square(0, 8, 8, 4)]),
        ('b.png', 240, 240, [square(0, 216, 116, 8), square(0, 214, 114, 12)]),
    ]
    write_coco(tmp_path, 'train2017', images)
    write_coco(tmp_path, 'val2017', images)
    part, _ = collect(config_of(tmp_path), source='', looks_at_images=False).figures['parts']
    expected = np.zeros((24, 24), int)
    expected[1, 0] = 1  # at (9.75, 9.75) of 240 x 120
    expected[11, 21] = 2  # at (219.75, 119.75) of 240 x 240
    assert part['centres'] == expected.tolist()


def crowded(tmp_path: Path) -> dict:
    """Return the figures of three objects at one place, one that is too large and one too small."""
    image = [
        square(0, 20, 20, 20),
        square(1, 20, 20, 20),
        square(0, 20, 20, 20),
        square(2, 10, 60, 100),  # 200 pixels in the input
        square(1, 100, 10, 2),  # 4 pixels
        square(1, 150, 10, 20, iscrowd=1),
    ]
    write_coco(tmp_path, 'train2017', [('a.png', 200, 200, image)])
    write_coco(tmp_path, 'val2017', [('b.png', 200, 200, [square(0, 20, 20, 20)])])
    head = dict(scale_ranges=((8, 64), (48, 150)))
    return collect(config_of(tmp_path, head=head), source='', looks_at_images=False).figures


def test_what_the_grid_can_learn(tmp_path):
    figures = crowded(tmp_path)
    grid = figures['parts'][0]['grid']
    assert (grid['objects'], grid['learnt']) == (5, 1)  # the last of the three
    assert (grid['in_no_range'], grid['lost_to_others']) == (2, 2)
    assert grid['recall_bound'] == pytest.approx(1 / 5)
    fine, coarse = grid['levels']
    assert (fine['objects_in_range'], fine['objects_learnt']) == (3, 1)
    assert fine['contested_cells'] == fine['claimed_cells'] > 0
    assert (coarse['objects_in_range'], coarse['claimed_cells']) == (0, 0)
    assert {each['name']: each['recall_bound'] for each in grid['by_class']} == {
        'cat': 1 / 2,
        'dog': 0,
        'old boat': 0,
    }
    by_size = {each['name']: each for each in grid['by_size'] if each['objects']}
    assert {name: (each['objects'], each['learnt']) for name, each in by_size.items()} == {
        'below 16': (1, 0),
        '32 to 64': (3, 1),
        '128 to 256': (1, 0),
    }
    (worst,) = grid['worst_images']
    assert (Path(worst['image']).name, worst['objects'], worst['unlearnt']) == ('a.png', 5, 4)
    assert figures['parts'][0]['crowds'] == 1


def test_the_worst_images_are_marked_where_objects_are_lost(tmp_path):
    crowded(tmp_path)
    head = dict(scale_ranges=((8, 64), (48, 150)))
    report = collect(config_of(tmp_path, head=head), source='', looks_at_images=False)
    (example,) = report.worst['train']
    boxes = example.masks.get_bboxes().tolist()
    assert boxes == [
        [40, 40, 80, 80],
        [40, 40, 80, 80],
        [20, 120, 220, 320],
        [200, 20, 204, 24],
    ]
    assert not report.worst['val and test']


def test_what_is_amiss_with_it_stands_first(tmp_path):
    """What the grid cannot learn, and the classes that are in one part only."""
    figures = crowded(tmp_path)
    weights = [(each['weight'], each['share']) for each in figures['amiss']]
    assert weights == sorted(weights, reverse=True)
    assert said(figures)[:3] == [
        '2 classes are in train alone, and never measured: dog, old boat.',
        '2 of 5 objects (40 %) of train are in the range of no level (1 too small and 1 too '
        'large), and cannot be learned.',
        '2 of 5 objects (40 %) of train lose all their cells to others, and cannot be learned.',
    ]


def test_nothing_is_amiss(tmp_path):
    """With enough images of each class in both, of objects that the grid takes."""
    for part, first in (('train2017', 0), ('val2017', 100)):
        (tmp_path / part).mkdir()
        images = []
        for seed in range(first, first + 12):
            cv2.imwrite(str(tmp_path / part / f'{seed}.png'), noise(seed, 96, 96))
            own = [square(label, 5 + 30 * label, 30, 24) for label in range(3)]
            images.append((f'{seed}.png', 96, 96, own))
        write_coco(tmp_path, part, images)
    figures = figures_of(tmp_path)
    assert figures['amiss'] == []
    assert [part['grid']['recall_bound'] for part in figures['parts']] == [1.0, 1.0]


def test_an_image_of_both_parts_is_found(tmp_path):
    """Scaled and compressed again; others are not."""
    for part, first, suffix in (('train2017', 0, 'png'), ('val2017', 10, 'jpg')):
        (tmp_path / part).mkdir()
        for seed in range(first, first + 4):
            cv2.imwrite(str(tmp_path / part / f'{seed}.{suffix}'), noise(seed, 120, 160))
        images = [
            (f'{seed}.{suffix}', 120, 160, [square(0, 20, 20, 20)])
            for seed in range(first, first + 4)
        ]
        if part == 'val2017':
            small = cv2.resize(noise(2, 120, 160), (100, 75))
            cv2.imwrite(str(tmp_path / 'val2017/11.jpg'), small, [cv2.IMWRITE_JPEG_QUALITY, 40])
            images[1] = ('11.jpg', 75, 100, [square(0, 20, 20, 20)])
        write_coco(tmp_path, part, images)
    figures = figures_of(tmp_path)
    (pair,) = figures['twins']
    assert pair['twins'] == 1
    names = [Path(path).name for path in pair['pairs'][0]['images']]
    assert dict(zip(pair['parts'], names, strict=True)) == {
        'train': '2.png',
        'val and test': '11.jpg',
    }
    first = figures['amiss'][0]
    assert '1 of 4 images (25 %) of' in first['said']
    assert 'figures are too good' in first['said']
    assert (first['section'], first['weight']) == ('twins', 3)


def test_files_that_cannot_be_used(tmp_path):
    write_scene(tmp_path)
    (tmp_path / 'train2017/a.png').write_bytes(b'broken')
    (tmp_path / 'train2017/b.png').unlink()
    figures = figures_of(tmp_path)
    files = figures['parts'][0]['files']
    assert (files['looked_at'], files['unusable']) == (3, 2)
    assert [Path(each['image']).name for each in files['first']] == ['a.png', 'b.png']
    assert 'does not exist' in files['first'][1]['why']
    assert said(figures)[0] == '2 of 3 images (66.7 %) of train cannot be used.'


def test_a_part_without_objects_and_classes_that_are_missing(tmp_path):
    write_scene(tmp_path)
    write_coco(
        tmp_path, 'train2017', [(f'{each.name}.png', each.height, each.width, []) for each in SCENE]
    )
    texts = said(figures_of(tmp_path))
    assert texts[0] == 'train is empty: none of its 3 images has an object.'
    write_coco(tmp_path, 'train2017', [image for image in scene_of() if image[0] == 'b.png'])
    texts = said(figures_of(tmp_path))
    assert texts[0].startswith('1 class is in val or test, but in no image of train')
    assert texts[0].endswith(': cat.')
    assert any(text.startswith('1 class is in no image at all: dog') for text in texts)
    assert any(text.startswith('1 class is in train alone') for text in texts)


def test_what_the_reader_found(tmp_path):
    """What cannot be used is left out, and said; what is repaired, listed."""
    write_scene(tmp_path)
    images = scene_of()
    images[0][3][0]['segmentation'] = [[1, 2]]
    images[0][3][1]['bbox'] = None
    write_coco(tmp_path, 'train2017', images)
    figures = figures_of(tmp_path)
    found = {(each['effect'], each['count']) for each in figures['parts'][0]['findings']}
    assert ('left out', 1) in found
    assert any(
        text.startswith('1 of 4 annotations (25 %) of train cannot') for text in said(figures)
    )


def test_objects_of_another_size_in_the_test(tmp_path):
    for part, side in (('train2017', 20), ('val2017', 40)):
        own = [square(0, 100 * (number % 6), 100 * (number // 6), side) for number in range(30)]
        write_coco(tmp_path, part, [('a.png', 600, 600, own)])
    figures = collect(config_of(tmp_path), source='', looks_at_images=False).figures
    assert any('are 2.0 times as large as those of train' in text for text in said(figures))


def test_one_that_is_filtered_is_not_counted(tmp_path):
    write_scene(tmp_path)
    options = dict(filter_cfg=dict(filter_empty_gt=True))
    part = figures_of(tmp_path, train=options)['parts'][0]
    assert (part['images_in_file'], part['images'], part['images_without_objects']) == (3, 2, 0)
    steps = [*LOAD, dict(type='FilterAnnotations', min_gt_bbox_wh=(40, 40))]
    assert figures_of(tmp_path, steps=steps)['parts'][0]['objects'] == 2


def test_data_that_stands_for_nothing_is_refused(tmp_path):
    cfg = config_of(tmp_path)
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[key] = None
    with pytest.raises(UserError, match='has no data: no train_dataloader'):
        collect(cfg, source='')
    cfg = config_of(tmp_path, train=dict(type='BaseDataset'))
    with pytest.raises(UserError, match='BaseDataset, which gives no masks'):
        collect(cfg, source='')


def test_another_model_has_no_grid(tmp_path):
    for part in ('train2017', 'val2017'):
        write_coco(tmp_path, part, [('a.png', 80, 120, [square(0, 5, 5, 20)])])
    cfg = config_of(tmp_path)
    del cfg.model['mask_head']
    figures = collect(cfg, source='', looks_at_images=False).figures
    assert [part['grid'] for part in figures['parts']] == [None, None]
    assert figures['parts'][0]['classes'][0]['name'] == CLASSES[0]


def test_masks_of_extreme_sizes(tmp_path):
    """In pixels of the input, which has twice the image's."""
    own = [square(0, 5, 5, 3), square(0, 5, 5, 15), square(1, 5, 5, 20), square(2, 10, 10, 72)]
    for part in ('train2017', 'val2017'):
        write_coco(tmp_path, part, [('a.png', 100, 100, own)])
    part = collect(config_of(tmp_path), source='', looks_at_images=False).figures['parts'][0]
    assert (part['tiny_masks'], part['small_masks'], part['huge_masks']) == (1, 2, 1)


def test_the_images_with_the_most_lost_objects_come_first(tmp_path, monkeypatch):
    """However many images are delivered together."""
    lost = [
        (f'{number}.png', 100, 100, [square(0, 20, 20, 20)] * (1 + number)) for number in range(5)
    ]
    for part in ('train2017', 'val2017'):
        write_coco(tmp_path, part, lost)
    figures = collect(config_of(tmp_path), source='', looks_at_images=False).figures
    worst = figures['parts'][0]['grid']['worst_images']
    assert [(Path(each['image']).stem, each['unlearnt']) for each in worst] == [
        *(('4', 4), ('3', 3), ('2', 2), ('1', 1))
    ]
    monkeypatch.setattr('mmdet.engine.dataset_report.parts._AT_ONCE', 2)
    assert collect(config_of(tmp_path), source='', looks_at_images=False).figures == figures


def test_grids_extend_over_the_padding(tmp_path):
    grid = grid_of(config_of(tmp_path))
    assert grid.padded(np.array([[33, 64], [1, 100]])).tolist() == [[64, 64], [32, 128]]


def test_images_of_one_hash_in_other_colours_are_not_the_same(tmp_path):
    for part, channels in (('train2017', [0, 1, 2]), ('val2017', [2, 1, 0])):
        write_coco(tmp_path, part, [('a.png', 60, 90, [square(0, 5, 5, 20)])])
        grey = noise(3, 60, 90).mean(2, keepdims=True) * [[[0.2, 1.0, 0.9]]]
        cv2.imwrite(str(tmp_path / part / 'a.png'), grey[..., channels])
    (pair,) = figures_of(tmp_path)['twins']
    assert pair['twins'] == 0


def test_parts_of_one_stage_are_not_held_against_each_other(tmp_path):
    write_scene(tmp_path)
    cfg = config_of(tmp_path)
    own = cfg.train_dataloader.dataset
    again = dict(own, indices=2)
    cfg.train_dataloader.dataset = dict(type='ConcatDataset', datasets=[own, again])
    figures = collect(cfg, source='').figures
    names = [part['name'] for part in figures['parts']]
    assert names == ['train 1', 'train 2', 'val and test']
    assert [pair['parts'][0] for pair in figures['twins']] == ['val and test'] * 2
