"""Against the figures of the evaluation's engine."""

import json

import numpy as np
import pytest

from mmdet.evaluation import LVISMetric
from mmdet.evaluation.analysis import AREAS, average_precision, compare, match
from tests.evaluation.analysis.scenes import (
    Found,
    Thing,
    figures_of,
    measured_of,
    metric_of,
    random_images,
)
from tests.evaluation.test_lvis_metric import CLASSES as LVIS_CLASSES
from tests.evaluation.test_lvis_metric import made, samples_of

CLASSES = 3


def average_precisions(images, iou_thr: float, area: str, classes: int = CLASSES) -> list[float]:
    """The AP of each class, -1 where there is nothing to find."""
    matched = [(each, match(each, iou_thr, AREAS[area])) for each in images]
    found: list[float] = []
    for label in range(classes):
        scores = np.concatenate([i.scores[m.counted & (i.labels == label)] for i, m in matched])
        right = np.concatenate([m.right[m.counted & (i.labels == label)] for i, m in matched])
        positives = sum(int((m.sought & (i.object_labels == label)).sum()) for i, m in matched)
        order = np.argsort(-scores, kind='stable')
        found.append(average_precision(right[order], positives) if positives else -1)
    return found


@pytest.mark.parametrize('iou_thr', [0.5, 0.75])
@pytest.mark.parametrize('seed', [0, 1])
def test_average_precision_is_the_engines(iou_thr, seed):
    """With crowds, duplicates, equal scores and, in one image, more predictions than count."""
    images = random_images(classes=CLASSES, seed=seed)
    many = [
        Found(1, (x, y, x + 40, y + 40), 0.5) for x in range(0, 240, 9) for y in (0, 20, 40, 60)
    ]
    images.append(([Thing(1, (0, 0, 40, 40)), Thing(1, (234, 60, 274, 100))], many))
    metric = metric_of(CLASSES, iou_thr)
    figures = figures_of(metric, images)
    compared = list(compare(measured_of(images, CLASSES)))
    by_class = average_precisions(compared, iou_thr, 'all')
    assert by_class == pytest.approx([figures[f'segm_mAP_{name}'] for name in 'abc'], abs=1e-12)
    for area in ('small', 'medium', 'large'):
        values = [each for each in average_precisions(compared, iou_thr, area) if each >= 0]
        assert np.mean(values) == pytest.approx(figures[f'segm_mAP_{area[0]}'], abs=1e-12)
    assert 0.1 < np.mean(by_class) < 0.9
    assert len(compared[-1].scores) == 100 < len(many)


def test_a_prediction_takes_the_object_that_it_overlaps_most():
    things = [Thing(0, (0, 0, 100, 100)), Thing(0, (10, 0, 110, 100)), Thing(1, (20, 0, 120, 100))]
    found = [Found(0, (20, 0, 120, 100), 0.9), Found(0, (20, 0, 120, 100), 0.8)]
    (image,) = compare(measured_of([(things, found)]))
    matches = match(image)
    assert matches.objects.tolist() == [1, 0]
    assert matches.found.tolist() == [True, True, False]
    assert match(image, 0.7).objects.tolist() == [1, -1]


def test_a_crowd_region_is_found_by_several_and_only_if_there_is_no_other():
    things = [Thing(0, (0, 0, 150, 100), crowd=True), Thing(0, (0, 0, 50, 50))]
    boxes = [(0, 0, 50, 50), (0, 0, 50, 50), (60, 0, 100, 50), (0, 120, 40, 180)]
    found = [Found(0, box, 1 - rank / 10) for rank, box in enumerate(boxes)]
    (image,) = compare(measured_of([(things, found)]))
    matches = match(image)
    assert matches.objects.tolist() == [1, 0, 0, -1]
    assert matches.right.tolist() == [True, False, False, False]
    assert matches.wrong.tolist() == [False, False, False, True]
    assert matches.sought.tolist() == [False, True]


def test_what_is_of_another_size_does_not_count():
    things = [Thing(0, (0, 0, 20, 20)), Thing(0, (100, 0, 150, 50))]
    found = [
        Found(0, (100, 0, 150, 50), 0.9),  # a medium one, found
        Found(0, (0, 100, 90, 190), 0.8),  # nothing, medium
        Found(0, (200, 100, 220, 120), 0.7),  # nothing, small
    ]
    (image,) = compare(measured_of([(things, found)]))
    matches = match(image, area_range=AREAS['small'])
    assert matches.counted.tolist() == [False, False, True]
    assert matches.sought.tolist() == [True, False]


def test_more_than_255_masks_overlap_as_they_do_one_by_one():
    """pycocotools writes some numbers of masks into a byte."""
    things = [Thing(0, (x, y, x + 9, y + 9)) for x in range(0, 290, 10) for y in range(0, 190, 10)]
    found = [Found(0, thing.box, 0.5) for thing in things[-100:]]
    (image,) = compare(measured_of([(things, found)]))
    assert image.ious.shape == (100, 551)
    assert image.ious.argmax(1).tolist() == list(range(451, 551))
    assert image.ious.sum() == 100


def test_images_without_objects_or_predictions():
    images = list(compare(measured_of([([], []), ([], [Found(0, (0, 0, 9, 9), 0.5)])])))
    assert [each.img_id for each in images] == [10, 11]
    assert [each.ious.shape for each in images] == [(0, 0), (1, 0)]
    assert match(images[0]).objects.tolist() == []
    assert match(images[1]).wrong.tolist() == [True]


def test_lvis_rules(tmp_path):
    """Classes count where they are looked for, and what is unlisted is not wrong."""
    content, found = made()
    (tmp_path / 'truth.json').write_text(json.dumps(content))
    metric = LVISMetric(str(tmp_path / 'truth.json'), classwise=True, iou_thrs=0.5)
    metric.dataset_meta = dict(classes=LVIS_CLASSES)
    samples = samples_of(found)
    results = [
        dict(
            img_id=each['img_id'],
            scores=each['pred_instances']['scores'].tolist(),
            labels=each['pred_instances']['labels'].tolist(),
            rles=each['pred_instances']['masks'].rles,
        )
        for each in samples
    ]
    compared = list(compare(metric.measured(results)))
    metric.process({}, samples)
    figures = metric.evaluate(len(samples))
    expected = [figures[f'lvis/segm_AP_{name}'] for name in LVIS_CLASSES]
    found = average_precisions(compared, 0.5, 'all', classes=len(LVIS_CLASSES))
    assert found == pytest.approx(expected, abs=1e-12)
    assert len(set(np.round(expected, 3))) > 5
