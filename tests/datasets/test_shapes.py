import hashlib
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from mmdet.datasets import shapes

CONVEX = {'ellipse', 'triangle', 'rectangle'}


@pytest.fixture(scope='module')
def drawn():
    return [shapes.draw_image(np.random.default_rng([0, 0, index])) for index in range(150)]


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'shapes'
    shapes.draw_dataset(root, num_train=20, num_val=6, seed=0, num_workers=2)
    return root


@pytest.fixture(scope='module')
def coco(root):
    return COCO(root / 'annotations' / 'instances_train2017.json')


def digests(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob('*') if path.is_file()]
    return {str(f.relative_to(root)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


# --- Shapes and images. ---


@pytest.mark.parametrize('size', [12, 60, 200])
@pytest.mark.parametrize('name', shapes.CLASSES)
def test_a_shape_has_the_wanted_size(name, size):
    coverage = shapes.draw_shape(np.random.default_rng(1), name, size)
    _, _, width, height = cv2.boundingRect((coverage > 0).astype(np.uint8))
    assert np.sqrt(width * height) == pytest.approx(size, abs=2)
    assert coverage.min() == 0 and coverage.max() == 1


@pytest.mark.parametrize('name', shapes.CLASSES)
def test_all_classes_but_three_are_concave(name):
    mask = (shapes.draw_shape(np.random.default_rng(2), name, 100) >= 0.5).astype(np.uint8)
    hull = cv2.fillConvexPoly(np.zeros_like(mask), cv2.convexHull(cv2.findNonZero(mask)), 1)
    solidity = mask.sum() / hull.sum()
    assert solidity > 0.97 if name in CONVEX else solidity < 0.95


def test_small_and_large_sizes_occur():
    rng = np.random.default_rng(3)
    sizes = [shapes._random_size(rng) for _ in range(1000)]
    smallest, largest = shapes.SIZE_RANGE
    assert smallest <= min(sizes) < 16
    assert 180 < max(sizes) <= largest


def test_images_labels_and_masks_fit_together(drawn):
    for image, labels, masks in drawn:
        assert image.dtype == np.uint8 and image.shape[:2] in shapes.IMAGE_SIZES
        assert masks.shape == (len(labels), *image.shape[:2])
        assert set(labels) <= set(range(len(shapes.CLASSES)))
    assert {label for _, labels, _ in drawn for label in labels} == set(range(len(shapes.CLASSES)))
    assert {image.shape[:2] for image, _, _ in drawn} == set(shapes.IMAGE_SIZES)


def test_images_have_0_to_12_objects(drawn):
    counts = [len(labels) for _, labels, _ in drawn]
    assert 0 < counts.count(0) < 0.1 * len(counts)
    assert max(counts) in range(9, 13)


def test_visible_masks_are_disjoint_and_large_enough(drawn):
    for _, _, masks in drawn:
        assert (masks.sum(axis=0) <= 1).all()
        assert (masks.sum(axis=(1, 2)) >= shapes.MIN_VISIBLE_PIXELS).all()


def test_objects_hide_one_another(drawn):
    parts = [cv2.connectedComponents(mask)[0] - 1 for _, _, masks in drawn for mask in masks]
    assert 0.02 < np.mean(np.array(parts) > 1) < 0.3


def test_objects_differ_from_what_is_around_them(drawn):
    contrasts = []
    for image, _, masks in drawn:
        for mask in masks:
            grown = cv2.dilate(mask, np.ones((9, 9), dtype=np.uint8))
            difference = image[mask == 1].mean(axis=0) - image[grown > mask].mean(axis=0)
            contrasts.append(np.linalg.norm(difference))
    assert np.quantile(contrasts, 0.05) > 30


# --- Segmentations. ---


def test_a_rectangle_survives_the_round_trip_exactly():
    mask = np.zeros((20, 30), dtype=np.uint8)
    mask[3:11, 0:17] = 1
    polygons = shapes.encode_mask(mask)
    assert isinstance(polygons, list) and len(polygons) == 1
    np.testing.assert_array_equal(shapes.decode_segmentation(polygons, 20, 30), mask)


def test_a_split_mask_becomes_two_polygons():
    mask = np.zeros((20, 30), dtype=np.uint8)
    mask[3:11, 2:9] = mask[3:11, 15:28] = 1
    polygons = shapes.encode_mask(mask)
    assert isinstance(polygons, list) and len(polygons) == 2
    np.testing.assert_array_equal(shapes.decode_segmentation(polygons, 20, 30), mask)


@pytest.mark.parametrize('corner', [0, 1])
def test_a_mask_with_a_hole_becomes_run_lengths(corner):
    mask = np.zeros((20, 30), dtype=np.uint8)
    mask[corner:15, corner:15] = 1
    mask[5:8, 6:9] = 0
    segmentation = shapes.encode_mask(mask)
    assert segmentation['size'] == [20, 30]
    assert sum(segmentation['counts']) == mask.size
    np.testing.assert_array_equal(shapes.decode_segmentation(segmentation, 20, 30), mask)


# --- The data set. ---


def test_the_files_are_those_of_coco(root):
    for split, num_images in (('train2017', 20), ('val2017', 6)):
        content = json.loads((root / 'annotations' / f'instances_{split}.json').read_text())
        assert [c['name'] for c in content['categories']] == list(shapes.CLASSES)
        assert len(content['images']) == len(list((root / split).iterdir())) == num_images
        for record in content['images']:
            image = cv2.imread(str(root / split / record['file_name']))
            assert image.shape == (record['height'], record['width'], 3)


def test_annotations_say_what_their_masks_say(coco):
    assert set(coco.anns) == set(range(1, len(coco.anns) + 1))
    for annotation in coco.anns.values():
        mask = coco.annToMask(annotation)
        assert annotation['area'] == mask.sum()
        assert annotation['bbox'] == list(cv2.boundingRect(mask))
        assert annotation['iscrowd'] == 0


def test_annotations_agree_with_what_was_drawn(coco, drawn):
    for image_id in coco.imgs:
        _, labels, masks = drawn[image_id - 1]
        annotations = coco.imgToAnns[image_id]
        assert [a['category_id'] - 1 for a in annotations] == labels
        for annotation, mask in zip(annotations, masks, strict=True):
            decoded = coco.annToMask(annotation)
            assert (mask & decoded).sum() > 0.9 * (mask | decoded).sum()


def test_both_polygons_and_run_lengths_occur(coco):
    kinds = {type(annotation['segmentation']) for annotation in coco.anns.values()}
    assert kinds == {list, dict}


def test_the_seed_alone_decides_the_bytes(root, tmp_path):
    shapes.draw_dataset(tmp_path / 'same', num_train=20, num_val=6, seed=0, num_workers=1)
    shapes.draw_dataset(tmp_path / 'other', num_train=20, num_val=6, seed=1)
    assert digests(tmp_path / 'same') == digests(root)
    other = digests(tmp_path / 'other')
    assert other.keys() == digests(root).keys()
    assert not set(other.values()) & set(digests(root).values())


def test_the_splits_share_no_image(root):
    hashes = list(digests(root).values())
    assert len(set(hashes)) == len(hashes)


def test_an_interrupted_drawing_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(shapes, '_draw_split', interrupt)
    with pytest.raises(KeyboardInterrupt):
        shapes.draw_dataset(tmp_path / 'shapes', num_train=1, num_val=1, num_workers=1)
    assert not list(tmp_path.iterdir())


def test_the_loser_of_a_race_discards_its_own(tmp_path, monkeypatch):
    root = tmp_path / 'shapes'
    draw_split = shapes._draw_split

    def draw_split_while_another_process_finishes(*args, **kwargs):
        monkeypatch.setattr(shapes, '_draw_split', draw_split)
        shapes.draw_dataset(root, num_train=2, num_val=1, seed=0, num_workers=1)
        draw_split(*args, **kwargs)

    monkeypatch.setattr(shapes, '_draw_split', draw_split_while_another_process_finishes)
    shapes.draw_dataset(root, num_train=2, num_val=1, seed=1, num_workers=1)
    assert list(tmp_path.iterdir()) == [root]
    content = json.loads((root / 'annotations' / 'instances_train2017.json').read_text())
    assert content['info']['seed'] == 0


@pytest.mark.parametrize('wrong', [{'num_train': 0}, {'num_val': -1}, {'seed': -1}])
def test_numbers_out_of_range_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match='must be at least'):
        shapes.draw_dataset(tmp_path / 'shapes', **wrong)
    assert not list(tmp_path.iterdir())


def test_the_command_draws_into_an_empty_folder(tmp_path, capsys):
    assert shapes.main([str(tmp_path), '--num-train', '2', '--num-val', '1']) == 0
    assert 'train2017: drew 2 of 2 images' in capsys.readouterr().out
    assert len(list((tmp_path / 'train2017').iterdir())) == 2


def test_the_command_refuses_a_folder_in_use(tmp_path):
    (tmp_path / 'precious.txt').write_text('keep me')
    command = [sys.executable, shapes.__file__, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == f'error: {tmp_path} exists already and is not an empty folder\n'
    assert [path.name for path in tmp_path.iterdir()] == ['precious.txt']
