"""Against pycocotools, of objects whose overlaps are drawn and not measured."""

from collections.abc import Iterator

import numpy as np
import pytest
from pycocotools.cocoeval import COCOeval, Params

from mmdet.evaluation.curves import precision_and_recall
from mmdet.evaluation.matching import match_objects, rows_type
from mmdet.evaluation.truth import AREAS, count_objects, outside

THRESHOLDS = np.array([0.5, 0.75, 1.0])


def drawn(seed: int) -> Iterator[dict]:
    """Yield images of few different overlaps, areas and scores, so that many are equal."""
    rng = np.random.default_rng(seed)
    for index in range(30):
        number, objects = rng.integers(0, 9), rng.integers(0, 6)
        yield dict(
            id=index,
            scores=np.sort(rng.integers(1, 6, number) / 5)[::-1],
            areas=rng.choice([500, 1024, 5000, 9216, 20000], number),
            ious=rng.choice([0, 0.3, 0.5, 0.6, 0.75, 0.8, 1 - 1e-11, 1], (number, objects)),
            crowd=rng.random(objects) < 0.2,
            object_areas=rng.choice([500, 1024, 5000, 9216, 20000], objects),
        )


def by_pycocotools(images: list[dict]) -> COCOeval:
    """Return what pycocotools makes of these overlaps."""
    evaluation = COCOeval(iouType='segm')
    params = Params('segm')
    params.imgIds, params.catIds, params.iouThrs = (
        [image['id'] for image in images],
        [1],
        THRESHOLDS,
    )
    params.maxDets = [1, 3, 5]
    evaluation.params = evaluation._paramsEval = params
    np.testing.assert_array_equal(params.areaRng, list(AREAS.values()))
    for image in images:
        key = image['id'], 1
        for number, (crowd, area) in enumerate(
            zip(image['crowd'], image['object_areas'], strict=True)
        ):
            entry = dict(id=number + 1, iscrowd=int(crowd), ignore=int(crowd), area=area)
            evaluation._gts[key].append(entry)
        for number, (score, area) in enumerate(zip(image['scores'], image['areas'], strict=True)):
            evaluation._dts[key].append(dict(id=number + 1, score=score, area=area))
        evaluation.ious[key] = image['ious'][: params.maxDets[-1]]
    evaluation.evalImgs = [
        evaluation.evaluateImg(image['id'], 1, area, params.maxDets[-1])
        for area in params.areaRng
        for image in images
    ]
    return evaluation


def rows_of(image: dict) -> np.ndarray:
    """Return what is kept of an image, as `match` does."""
    keep = slice(5)
    ignored = image['crowd'] | outside(image['object_areas'])
    taken = match_objects(image['ious'][keep], image['crowd'], ignored, THRESHOLDS)
    with_none = np.pad(ignored, ((0, 0), (0, 1)))  # which -1 is
    hit, of_ignored = taken >= 0, with_none[np.arange(len(AREAS))[:, None], taken]
    of_size = outside(image['areas'][keep]).T[..., None]
    rows = np.zeros(len(hit), rows_type(len(THRESHOLDS)))
    rows['score'], rows['rank'] = image['scores'][keep], np.arange(len(hit))
    for name, bits in (('matched', hit), ('ignored', np.where(hit, of_ignored, of_size))):
        rows[name] = np.packbits(bits.reshape(len(hit), 12), axis=1)
    return rows


@pytest.mark.parametrize('seed', range(5))
def test_matches_and_figures_are_pycocotools(seed):
    images = list(drawn(seed))
    evaluation = by_pycocotools(images)
    rows = [rows_of(image) for image in images]
    taken = 0
    for index, theirs in enumerate(evaluation.evalImgs):
        area, ours = index // len(images), rows[index % len(images)]
        if theirs is None:
            assert not len(ours) and not len(images[index % len(images)]['crowd'])
            continue
        for name, field in (('matched', 'dtMatches'), ('ignored', 'dtIgnore')):
            bits = np.unpackbits(ours[name], axis=1, count=12).reshape(-1, 4, 3)
            expected = theirs[field] > 0
            np.testing.assert_array_equal(bits[:, area].T, expected)
            taken += expected.sum() * (name == 'matched')
    assert taken > 100
    evaluation.accumulate()
    objects = count_objects(
        ((np.zeros(len(i['crowd']), int), i['crowd'] | outside(i['object_areas'])) for i in images),
        1,
    )
    precision, recall = precision_and_recall(
        np.concatenate(rows), objects, thresholds=3, max_detections=(1, 3, 5)
    )
    np.testing.assert_allclose(precision, evaluation.eval['precision'][..., -1], rtol=1e-15)
    np.testing.assert_array_equal(recall, evaluation.eval['recall'])


def test_what_there_is_not_is_no_figure():
    nothing = np.zeros(0, rows_type(1))
    precision, recall = precision_and_recall(
        nothing, np.array([[1, 0, 1, 0]]), thresholds=1, max_detections=(1,)
    )
    assert precision[0, :, 0].tolist() == [[0, -1, 0, -1]] * 101
    assert recall.ravel().tolist() == [0, -1, 0, -1]
