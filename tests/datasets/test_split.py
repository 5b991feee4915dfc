from collections import Counter

import numpy as np
import pytest

from mmdet.datasets.coco_file import CocoFile
from mmdet.datasets.findings import Findings
from mmdet.datasets.split import split_images


def coco_of(labels: list[list[int]]) -> CocoFile:
    """Return a data set whose images have objects of these categories."""
    images = [dict(id=10 * number, file_name=f'{number}.png') for number in range(len(labels))]
    annotations = [
        dict(image_id=10 * number, category_id=label)
        for number, of_image in enumerate(labels)
        for label in of_image
    ]
    return CocoFile('a.json', images, annotations, [], Findings())


def random_labels(number: int) -> list[list[int]]:
    rng = np.random.default_rng(0)
    return [
        rng.choice(6, rng.integers(0, 5), p=[0.5, 0.3, 0.1, 0.05, 0.03, 0.02]).tolist()
        for _ in range(number)
    ]


@pytest.mark.parametrize('number', [1, 2, 5, 57, 400])
@pytest.mark.parametrize('shares', [(0.8, 0.2), (0.7, 0.2, 0.1), (0.5, 0.5)])
def test_each_image_is_in_one_part(number, shares):
    parts = split_images(coco_of(random_labels(number)), shares, seed=0)
    assert sorted(each for part in parts for each in part) == [10 * i for i in range(number)]
    assert all(part == sorted(part) for part in parts)
    if number >= len(shares):
        assert all(parts)
    if number >= 20:
        for part, share in zip(parts, shares, strict=True):
            assert abs(len(part) - share * number) < 2


def test_sizes_are_the_nearest_to_the_shares():
    parts = split_images(coco_of([[0]] * 9), (0.8, 0.2), seed=0)
    assert [len(part) for part in parts] == [7, 2]


def test_each_category_is_in_each_part():
    """Also one of five images, which chance alone leaves out of a fifth in one of three times."""
    labels = [[0]] * 95 + [[0, 1]] * 5
    for seed in range(10):
        _, val = split_images(coco_of(labels), (0.8, 0.2), seed)
        assert sum(identifier >= 950 for identifier in val) == 1


def test_categories_are_shared_out_as_images_are():
    labels = random_labels(400)
    every = Counter(label for of_image in labels for label in set(of_image))
    (commonest, most), *others = every.most_common()
    for seed in range(5):
        _, val = split_images(coco_of(labels), (0.8, 0.2), seed)
        held = Counter(label for each in val for label in set(labels[each // 10]))
        for label, number in others:
            assert abs(held[label] - 0.2 * number) <= 1
        # The commonest is what is left for the parts' sizes; chance alone is off by 6 in the mean.
        assert abs(held[commonest] - 0.2 * most) <= 6


def test_no_part_is_of_empty_images_alone():
    for seed in range(10):
        _, val = split_images(coco_of([[0], [], [0], [1], []]), (0.8, 0.2), seed)
        assert val[0] not in (10, 40)


def test_the_seed_decides():
    coco = coco_of(random_labels(60))
    first = split_images(coco, (0.8, 0.2), seed=1)
    assert split_images(coco, (0.8, 0.2), seed=1) == first
    assert split_images(coco, (0.8, 0.2), seed=2) != first


@pytest.mark.parametrize('shares', [(0.8, 0.3), (1.0, 0.0), (1.5, -0.5)])
def test_shares_that_are_none(shares):
    with pytest.raises(ValueError, match='add up to 1'):
        split_images(coco_of([[0]] * 9), shares, seed=0)
