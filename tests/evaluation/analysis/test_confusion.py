"""Which class is taken for which, by hand and by mmdetection's own code."""

from pathlib import Path

import numpy as np

from mmdet.evaluation.analysis import compare, confusion_matrix, row_shares
from tests.evaluation.analysis.scenes import Found, Thing, measured_of, random_images
from tests.peer import ask

BOX, FAR, SHIFTED = (0, 0, 60, 60), (200, 100, 280, 190), (30, 0, 90, 60)


def matrix_of(things: list[Thing], found: list[Found], **arguments: float) -> list[list[int]]:
    return confusion_matrix(compare(measured_of([(things, found)])), 2, **arguments).tolist()


def test_each_cell():
    """Rows are classes, columns what they are found as; the last ones are the background."""
    things = [Thing(0, BOX), Thing(1, FAR)]
    assert matrix_of(things, [Found(0, BOX, 0.9)]) == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    # Found as another class, an object is missed, too, as mmdetection counts.
    assert matrix_of(things, [Found(1, BOX, 0.9)]) == [[0, 1, 1], [0, 0, 1], [0, 0, 0]]
    assert matrix_of(things, [Found(1, SHIFTED, 0.9)]) == [[0, 0, 1], [0, 0, 1], [0, 1, 0]]
    assert matrix_of(things, [Found(0, BOX, 0.9)] * 3) == [[3, 0, 0], [0, 0, 1], [0, 0, 0]]
    assert matrix_of([], [Found(1, BOX, 0.9)]) == [[0, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert matrix_of(things, []) == [[0, 0, 1], [0, 0, 1], [0, 0, 0]]


def test_thresholds():
    things = [Thing(0, BOX)]
    found = [Found(0, BOX, 0.9), Found(0, BOX, 0.29), Found(0, SHIFTED, 0.5)]  # IoU 1/3
    assert matrix_of(things, found) == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert matrix_of(things, found, score_thr=0.29) == [[2, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert matrix_of(things, found, score_thr=0.91) == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert matrix_of(things, found, iou_thr=0.3) == [[2, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_suppression_is_by_class_and_from_the_highest_score():
    chain = [Found(0, (x, 0, x + 60, 60), 0.9 - x / 100) for x in (0, 20, 40)]  # IoU 1/2, 1/5
    found = [*chain, Found(1, BOX, 0.5)]
    # The second goes, and cannot suppress the third.
    arguments = dict(score_thr=0.0, iou_thr=0.99)
    assert matrix_of([], found, nms_iou_thr=0.4, **arguments)[2] == [2, 1, 0]
    assert matrix_of([], found, nms_iou_thr=0.6, **arguments)[2] == [3, 1, 0]


def test_crowd_regions_are_no_objects():
    crowd = Thing(0, (0, 0, 120, 120), crowd=True)
    inside = [Found(0, BOX, 0.9), Found(1, BOX, 0.9)]
    assert matrix_of([crowd], inside) == [[0, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert matrix_of([crowd, Thing(0, BOX)], inside) == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_shares_of_rows():
    shares = row_shares(np.array([[3, 1], [0, 0]]))
    np.testing.assert_equal(shares, [[0.75, 0.25], [np.nan, np.nan]])


def test_it_is_mmdetections_where_masks_fill_boxes():
    """Of boxes, of which its tool counts crowds as objects: without those."""
    images = random_images(crowds=False)
    plain = [
        ([(t.label, t.box) for t in things], [(f.label, f.box, f.score) for f in found])
        for things, found in images
    ]
    arguments = dict(score_thr=0.25, tp_iou_thr=0.6)
    theirs = ask(Path(__file__).with_name('peer.py'), (3, arguments, plain))
    compared = compare(measured_of(images, 3))
    ours = confusion_matrix(compared, 3, score_thr=0.25, iou_thr=0.6)
    np.testing.assert_array_equal(ours, theirs)
    assert (ours > 0).sum() > 10
