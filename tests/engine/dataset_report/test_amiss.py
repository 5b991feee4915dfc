"""What is said of which figures, and that it is said of no others."""

from copy import deepcopy

import pytest

from mmdet.engine.dataset_report.amiss import what_is_amiss

FINE = dict(
    name='train',
    stages=['train'],
    is_coco=True,
    images=200,
    images_without_objects=100,
    objects=1000,
    crowds=12,
    findings=[dict(effect='repaired', what='without a box', count=500, first='annotation 1')],
    classes=[dict(name='cat', objects=1000, images=100)],
    tiny_masks=20,
    empty_masks=0,
    huge_masks=500,
    object_side=dict(median=50.0),
    files=dict(looked_at=200, unusable=0, first=[]),
    grid=dict(objects=1000, in_no_range=5, too_small_for_all=5, lost_to_others=20),
)


def parts_with(**changes: object) -> list[dict]:
    """Return the figures of a training, changed, and of a validation."""
    val = FINE | dict(name='val', stages=['val'])
    return deepcopy([FINE | changes, val])


def test_nothing():
    assert what_is_amiss(parts_with(), [dict(twins=0)]) == []
    assert what_is_amiss(parts_with(grid=None, files=None), []) == []


@pytest.mark.parametrize(
    ('changes', 'weight', 'section', 'said'),
    [
        (dict(crowds=400), 2, 'annotations', '400 of 1,400 objects (28.6 %) of train are marked'),
        (dict(images_without_objects=101), 1, 'images', '101 of 200 images (50.5 %) of train have'),
        (dict(tiny_masks=21), 2, 'objects', '21 of 1,000 objects (2.1 %) of train have masks'),
        (dict(empty_masks=1), 2, 'objects', '1 of 1,000 objects (0.1 %) of train have no pixel'),
        (dict(huge_masks=501), 1, 'objects', '501 of 1,000 objects (50.1 %) of train cover'),
        (
            dict(files=dict(looked_at=200, unusable=1, first=[])),
            *(3, 'files', '1 of 200 images (0.5 %) of train cannot be used.'),
        ),
        (
            dict(classes=[dict(name='cat', objects=9, images=9)]),
            *(1, 'classes', '1 class is in fewer than 10 images of train: cat.'),
        ),
        (
            dict(grid=FINE['grid'] | dict(in_no_range=6)),
            *(2, 'grid', '6 of 1,000 objects (0.6 %) of train are in the range of no level (5 too'),
        ),
        (
            dict(grid=FINE['grid'] | dict(lost_to_others=21)),
            *(2, 'grid', '21 of 1,000 objects (2.1 %) of train lose all their cells'),
        ),
    ],
)
def test_one_thing(changes, weight, section, said):
    (found,) = what_is_amiss(parts_with(**changes), [])
    assert found.said.startswith(said)
    assert (found.weight, found.section) == (weight, section)
    assert found.remedy.endswith('.')


@pytest.mark.parametrize(('is_coco', 'remedy'), [(True, 'check-coco'), (False, 'the list')])
def test_check_coco_is_named_for_what_it_reads(is_coco, remedy):
    left_out = [dict(effect='left out', what='', count=3, first='')]
    (found,) = what_is_amiss(parts_with(findings=left_out, is_coco=is_coco), [])
    assert found.said.startswith('3 of 1,015 annotations (0.3 %) of train cannot be used')
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ('stages', 'weight', 'why'),
    [
        ([['val'], ['train']], 3, 'figures are too good'),
        ([['test'], ['val']], 1, 'not those of different data'),
    ],
)
def test_twins_weigh_most_in_the_training(stages, weight, why):
    names = [stage for (stage,) in stages]
    (found,) = what_is_amiss(
        parts_with(), [dict(parts=names, stages=stages, images=50, twins=2, pairs=[])]
    )
    assert found.said.startswith(f'2 of 50 images (4 %) of {names[0]} are nearly the same')
    assert why in found.said
    assert found.weight == weight
