"""Which images are found to be the same, and which are not."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet.datasets.near_duplicates import are_alike, find_twins, hash_images, perceptual_hash


def photo(folder: Path) -> tuple[Path, np.ndarray]:
    path = folder / 'train2017/000000008193.jpg'
    return path, cv2.imread(str(path))


@pytest.fixture
def coco(shared) -> Path:
    return shared / 'data/coco_tiny'


def hash_of(path: Path) -> int | None:
    (found,) = hash_images([str(path)], [cv2.imread(str(path)).shape[:2]])
    return found


@pytest.mark.parametrize(('scale', 'quality'), [(0.3, 60), (0.5, 20), (1.0, 10), (1.7, 90)])
def test_scaled_and_compressed_again_it_is_the_same(coco, tmp_path, scale, quality):
    path, image = photo(coco)
    other = tmp_path / 'other.jpg'
    scaled = cv2.resize(image, None, fx=scale, fy=scale)
    cv2.imwrite(str(other), scaled, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert len(find_twins([hash_of(path)], [hash_of(other)])) == 1
    assert are_alike(str(path), str(other))


def test_photos_of_other_things_are_not(coco):
    """None of 80 is another of 80."""
    parts = [sorted((coco / part).glob('*.jpg')) for part in ('train2017', 'val2017')]
    hashes = [list(hash_images([*map(str, part)], [(480, 640)] * len(part))) for part in parts]
    assert not find_twins(*hashes)
    assert not are_alike(str(parts[0][0]), str(parts[1][0]))


def test_the_second_look_sees_colour_and_shape(coco, tmp_path):
    """Which the hash, of the brightness of a square, does not."""
    path, image = photo(coco)
    for name, other in (
        ('colour', image[..., [2, 1, 0]]),
        ('wide', cv2.resize(image, None, fx=1.2, fy=1.0)),
    ):
        cv2.imwrite(str(tmp_path / f'{name}.png'), other)
        assert not are_alike(str(path), str(tmp_path / f'{name}.png'))
    cv2.imwrite(str(tmp_path / 'brighter.png'), np.clip(image * 0.9 + 20, 0, 255))
    assert are_alike(str(path), str(tmp_path / 'brighter.png'))


def test_what_has_nothing_to_be_known_by(tmp_path):
    assert perceptual_hash(np.full((50, 50, 3), 200, np.uint8)) is None
    (tmp_path / 'broken.jpg').write_bytes(b'no picture')
    paths = [str(tmp_path / name) for name in ('broken.jpg', 'missing.jpg')]
    assert list(hash_images(paths, [(50, 50), (50, 50)])) == [None, None]
    assert not are_alike(*paths)
    assert find_twins([None, None], [None]) == []


def test_all_near_hashes_are_found():
    """As by comparing each with each; of several the nearest, and of these the first."""
    rng = np.random.default_rng(0)
    ones = rng.integers(0, 1 << 63, 60).tolist()
    others = rng.integers(0, 1 << 63, 90).tolist()
    for number, one in enumerate(ones[:40]):
        bits = rng.choice(64, number % 10, replace=False).tolist()
        others += [one ^ sum(1 << bit for bit in bits)] * 2
    others[3] = None
    expected = []
    for index, one in enumerate(ones):
        distances = [64 if each is None else (one ^ each).bit_count() for each in others]
        nearest = min(distances)
        if nearest <= 7:
            expected.append((index, distances.index(nearest), nearest))
    assert [tuple(each) for each in find_twins(ones, others)] == expected
    assert len(expected) == 32


def test_many_of_one_hash(monkeypatch):
    """They are compared a part at a time."""
    monkeypatch.setattr('mmdet.datasets.near_duplicates._AT_ONCE', 7)
    found = find_twins([5] * 20, [4] * 20 + [5] * 3)
    assert [tuple(each) for each in found] == [(index, 20, 0) for index in range(20)]


def test_a_distance_at_which_not_all_are_found_is_refused():
    with pytest.raises(ValueError, match='more than 7 bits'):
        find_twins([1], [2], max_distance=8)
