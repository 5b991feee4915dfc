import numpy as np
import pytest

from mmdet.errors import UserError
from tests.datasets.transforms.results import apply, results_of

BELOW = (10, 5, 30, 25)


def paste(pasted: list, below: list, **arguments: object) -> dict:
    """Paste all rectangles `pasted`, of a brighter image, onto those of `below`."""
    source = results_of(pasted)
    source['img'] = source['img'] + 5
    arguments = dict(selected=False) | arguments
    return apply('CopyPaste', results_of(below) | dict(mix_results=[source]), **arguments)


def test_what_is_pasted_covers_what_was_there():
    results = paste([(20, 0, 40, 30)], [BELOW, (50, 10, 60, 38)])
    assert results['gt_bboxes_labels'].tolist() == [0, 1, 0]
    assert results['gt_bboxes'].tolist() == [[10, 5, 20, 25], [50, 10, 60, 38], [20, 0, 40, 30]]
    assert results['gt_bboxes'].dtype == np.float32
    assert results['gt_masks'].areas.tolist() == [10 * 20, 10 * 28, 20 * 30]
    assert results['gt_masks'].masks.sum(0).max() == 1
    expected = results_of([BELOW, (50, 10, 60, 38)])['img']
    expected[0:30, 20:40] = 105
    np.testing.assert_array_equal(results['img'], expected)
    assert results['img'].dtype == np.uint8


@pytest.mark.parametrize(
    ('bbox_occluded_thr', 'mask_occluded_thr', 'kept'),
    [(10, 300, True), (9, 300, False), (9, 200, False), (9, 199, True)],
)
def test_what_is_mostly_covered_is_left_out(bbox_occluded_thr, mask_occluded_thr, kept):
    """Of `BELOW` 200 pixels still show, and one side of its box has moved by 10."""
    results = paste(
        [(20, 0, 40, 30)],
        [BELOW],
        bbox_occluded_thr=bbox_occluded_thr,
        mask_occluded_thr=mask_occluded_thr,
    )
    assert len(results['gt_bboxes']) == len(results['gt_masks']) == 1 + kept


def test_what_is_wholly_covered_is_left_out_however_small():
    results = paste([(0, 0, 20, 20)], [(2, 2, 8, 8), (50, 10, 60, 38)])
    assert results['gt_bboxes'].tolist() == [[50, 10, 60, 38], [0, 0, 20, 20]]


def test_inputs_stay_as_they_are():
    source, below = results_of([(20, 0, 40, 30)]), results_of([BELOW])
    apply('CopyPaste', below | dict(mix_results=[source]), selected=False)
    for results, fresh in ((source, results_of([(20, 0, 40, 30)])), (below, results_of([BELOW]))):
        np.testing.assert_array_equal(results['img'], fresh['img'])
        np.testing.assert_array_equal(results['gt_masks'].masks, fresh['gt_masks'].masks)
        np.testing.assert_array_equal(results['gt_bboxes'], fresh['gt_bboxes'])


def test_ignored_instances_stay_ignored():
    source = results_of([(20, 0, 40, 30)])
    source['gt_ignore_flags'][:] = True
    results = apply('CopyPaste', results_of() | dict(mix_results=[source]), selected=False)
    assert results['gt_ignore_flags'].tolist() == [False, False, True]


def test_some_objects_are_selected():
    np.random.seed(0)
    boxes = [(x, 0, x + 4, 4) for x in range(0, 40, 10)]
    below = [(0, 20, 60, 40)]
    few = [paste(boxes, below, selected=True, max_num_pasted=2) for _ in range(50)]
    assert {len(results['gt_bboxes']) - 1 for results in few} == {0, 1, 2}
    assert {label for results in few for label in results['gt_bboxes_labels'][1:]} == {0, 1, 2, 3}
    many = [paste(boxes, below, selected=True) for _ in range(50)]
    assert {len(results['gt_bboxes']) - 1 for results in many} == {0, 1, 2, 3, 4}


@pytest.mark.parametrize('number', [0, 1])
def test_images_without_objects(number):
    boxes = [BELOW][:number]
    onto_nothing, of_nothing = paste(boxes, []), paste([], boxes)
    assert len(onto_nothing['gt_masks']) == len(of_nothing['gt_masks']) == number


def test_what_it_cannot_do_is_said():
    with pytest.raises(UserError, match='MultiImageMixDataset'):
        apply('CopyPaste', results_of())
    with pytest.raises(UserError, match=r"one size, not \(40, 64\) and \(40, 60\): .*type='Pad'"):
        apply('CopyPaste', results_of() | dict(mix_results=[results_of(width=60)]))
