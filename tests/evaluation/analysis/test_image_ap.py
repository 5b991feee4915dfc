"""The AP of an image by itself."""

import pytest

from mmdet.evaluation.analysis import (
    ImageScore,
    best_and_worst,
    compare,
    image_score,
    matches_of,
)
from tests.evaluation.analysis.scenes import figures_of, measured_of, metric_of, random_images

CLASSES = 3


def scores_of(images: list) -> list[ImageScore]:
    compared = compare(measured_of(images, CLASSES))
    return [image_score(image, matches_of(image)) for image in compared]


def test_it_is_the_engines_ap_of_that_image():
    images = random_images(classes=CLASSES, seed=0)
    scores = scores_of(images)
    assert len(scores) == len(images) > 3
    for image, score in zip(images, scores, strict=True):
        ap = figures_of(metric_of(CLASSES), [image])['segm_mAP']
        assert score.ap == (pytest.approx(ap, abs=1e-12) if ap >= 0 else None)
    assert any(0 < each.ap < 1 for each in scores if each.ap is not None)


def scored(ap: float | None, objects: int = 1) -> ImageScore:
    return ImageScore('x', ap, objects, 0, 0)


def test_no_image_is_best_and_worst():
    scores = [scored(ap) for ap in (0.2, None, 0.9, 0.4, 0.0, 0.7)]
    best, worst = best_and_worst(scores, 20, 20)
    assert [each.ap for each in best] == [0.9, 0.7]
    assert [each.ap for each in worst] == [0.0, 0.2, 0.4]
    assert [len(some) for some in best_and_worst(scores, 1, 2)] == [1, 2]
    assert best_and_worst([scored(1.0)], 5, 5) == ([], [scored(1.0)])
    assert best_and_worst([scored(None)], 5, 5) == ([], [])


def test_of_one_ap_more_objects_weigh_more():
    scores = [scored(ap, objects) for ap in (0.0, 1.0) for objects in (1, 3, 2)]
    best, worst = best_and_worst(scores, 2, 2)
    assert [each.objects for each in best] == [3, 2]
    assert [each.objects for each in worst] == [3, 2]
