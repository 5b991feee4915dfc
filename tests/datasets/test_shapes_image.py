import cv2
import numpy as np
import pytest

from mmdet.datasets import shapes_image

CONVEX = {'ellipse', 'triangle', 'rectangle'}


@pytest.fixture(scope='module')
def drawn():
    return [shapes_image.draw_image(np.random.default_rng([0, 0, index])) for index in range(150)]


@pytest.mark.parametrize('pattern', shapes_image.PATTERNS)
def test_a_texture_varies_by_about_one(pattern):
    field = pattern(np.random.default_rng(1), 256, 320)
    assert field.shape == (256, 320)
    assert 0.2 < field.std() < 1
    assert -4 < field.min() < -0.5 and 0.5 < field.max() < 4


@pytest.mark.parametrize('size', [12, 60, 200])
@pytest.mark.parametrize('name', shapes_image.CLASSES)
def test_a_shape_has_the_wanted_size(name, size):
    coverage = shapes_image.draw_shape(np.random.default_rng(1), name, size)
    _, _, width, height = cv2.boundingRect((coverage > 0).astype(np.uint8))
    assert np.sqrt(width * height) == pytest.approx(size, abs=2)
    assert coverage.min() == 0 and coverage.max() == 1


@pytest.mark.parametrize('name', shapes_image.CLASSES)
def test_all_classes_but_three_are_concave(name):
    mask = (shapes_image.draw_shape(np.random.default_rng(2), name, 100) >= 0.5).astype(np.uint8)
    hull = cv2.fillConvexPoly(np.zeros_like(mask), cv2.convexHull(cv2.findNonZero(mask)), 1)
    solidity = mask.sum() / hull.sum()
    assert solidity > 0.97 if name in CONVEX else solidity < 0.95


def test_small_and_large_sizes_occur():
    rng = np.random.default_rng(3)
    sizes = [shapes_image._random_size(rng, shapes_image.SIZE_RANGE) for _ in range(1000)]
    smallest, largest = shapes_image.SIZE_RANGE
    assert smallest <= min(sizes) < 16
    assert 180 < max(sizes) <= largest


def test_images_labels_and_masks_fit_together(drawn):
    for image, labels, masks in drawn:
        assert image.dtype == np.uint8 and image.shape[:2] in shapes_image.IMAGE_SIZES
        assert masks.shape == (len(labels), *image.shape[:2])
        assert set(labels) <= set(range(len(shapes_image.CLASSES)))
    assert {label for _, labels, _ in drawn for label in labels} == set(
        range(len(shapes_image.CLASSES))
    )
    assert {image.shape[:2] for image, _, _ in drawn} == set(shapes_image.IMAGE_SIZES)


def test_images_have_0_to_12_objects(drawn):
    counts = [len(labels) for _, labels, _ in drawn]
    assert 0 < counts.count(0) < 0.1 * len(counts)
    assert max(counts) in range(9, 13)


def test_visible_masks_are_disjoint_and_large_enough(drawn):
    for _, _, masks in drawn:
        assert (masks.sum(axis=0) <= 1).all()
        assert (masks.sum(axis=(1, 2)) >= shapes_image.MIN_VISIBLE_PIXELS).all()


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


def test_an_image_of_a_wanted_size_with_many_objects():
    rng = np.random.default_rng(7)
    image, labels, masks = shapes_image.draw_image(rng, size=(480, 640), max_objects=100)
    assert image.shape == (480, 640, 3) and masks.shape[1:] == (480, 640)
    assert shapes_image.MAX_OBJECTS < len(labels) <= 100
