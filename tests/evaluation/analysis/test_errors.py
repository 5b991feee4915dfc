"""What each kind of error costs: where it is the only one, and by TIDE's own code."""

import numpy as np
import pytest

from mmdet.evaluation.analysis import AREAS, ERRORS, analyse_errors, compare
from tests.evaluation.analysis.scenes import (
    Found,
    Image,
    Thing,
    figures_of,
    measured_of,
    metric_of,
    random_images,
)

# All are medium. The third overlaps the first by 1/3.
BOX, FAR, SHIFTED, APART = (0, 0, 60, 60), (200, 100, 280, 190), (30, 0, 90, 60), (0, 100, 60, 160)
THINGS = [Thing(0, BOX), Thing(1, FAR), Thing(0, APART)]
RIGHT = [Found(0, BOX, 0.9), Found(1, FAR, 0.6), Found(0, APART, 0.6)]
# One kind of error alone: the objects, what was found, and the AP.
ALONE: dict[str, tuple[list[Thing], list[Found], float]] = {
    # Its class loses half of what there is to find, the other has it before the right one.
    'class': (THINGS, [*RIGHT[:2], Found(1, APART, 0.7)], (51 / 101 + 1 / 2) / 2),
    # Half is found, then comes what is wrong.
    'localisation': (THINGS, [*RIGHT[:2], Found(0, (30, 100, 90, 160), 0.5)], (51 / 101 + 1) / 2),
    'both': (THINGS, [*RIGHT, Found(1, SHIFTED, 0.8)], (1 + 1 / 2) / 2),
    'duplicate': (THINGS, [*RIGHT, Found(0, BOX, 0.8)], ((51 + 50 * 2 / 3) / 101 + 1) / 2),
    'background': (THINGS, [*RIGHT, Found(1, (100, 0, 180, 60), 0.8)], (1 + 1 / 2) / 2),
    'missed': (THINGS, RIGHT[:2], (51 / 101 + 1) / 2),
}
# tidecv 1.0.1's gains in percent and counts, in the order of `ERRORS`, of `random_images(20, 3,
# seed, crowds=crowds)` with a score for each: TIDE(mode=TIDE.MASK), evaluate, get_main_errors and
# count_errors. It puts down errors to what lies in crowd regions, too: the counts are more there.
OF_TIDE = [
    (0, False, [7.06407473, 6.147309909, 1.572966363, 4.240473567, 5.65775832, 10.597350996]),
    (4, False, [4.654445246, 17.323567187, 1.467730707, 1.163112797, 7.254702228, 12.51306085]),
    (9, True, [11.87002784, 5.972450116, 3.393281926, 2.639517284, 4.164074826, 9.237502572]),
]
COUNTS_OF_TIDE = {0: [19, 15, 6, 24, 23, 15], 4: [8, 16, 9, 18, 26, 21]}


def analyse(images: list[Image], classes: str = 'ab', **arguments: object):
    return analyse_errors(compare(measured_of(images, len(classes))), classes, **arguments)


@pytest.mark.parametrize('kind', ERRORS)
def test_where_it_is_the_only_error_the_ap_is_1_without_it(kind):
    things, found, ap = ALONE[kind]
    figures = analyse([(things, found)]).by_size['all']
    assert figures.ap == pytest.approx(ap)
    assert figures.gains == pytest.approx(dict.fromkeys(ERRORS, 0) | {kind: 1 - ap})
    assert figures.counts == dict.fromkeys(ERRORS, 0) | {kind: 1}
    assert figures.objects == 3


def test_without_errors_there_is_nothing_to_gain():
    figures = analyse([(THINGS, RIGHT), ([], [])]).by_size['all']
    assert figures.ap == 1
    assert figures.gains == dict.fromkeys(ERRORS, 0)


def with_other_scores(images: list[Image], seed: int) -> list[Image]:
    rng = np.random.default_rng(seed)
    return [
        (things, [each._replace(score=float(rng.random())) for each in found])
        for things, found in images
    ]


@pytest.mark.parametrize(('seed', 'crowds', 'gains'), OF_TIDE)
def test_it_is_tides(seed, crowds, gains):
    images = with_other_scores(random_images(20, 3, seed, crowds=crowds), seed)
    figures = analyse(images, 'abc').by_size['all']
    assert list(figures.gains.values()) == pytest.approx(np.array(gains) / 100, abs=1e-10)
    if not crowds:
        assert list(figures.counts.values()) == COUNTS_OF_TIDE[seed]


def test_aps_are_the_engines():
    images = random_images(20, 3, seed=3)
    figures = figures_of(metric_of(3, 0.5), images)
    analysis = analyse(images, 'abc')
    names = dict(all='mAP', small='mAP_s', medium='mAP_m', large='mAP_l')
    aps = {size: each.ap for size, each in analysis.by_size.items()}
    assert aps == pytest.approx({size: figures[f'segm_{name}'] for size, name in names.items()})
    by_class = {name: each['all'].ap for name, each in analysis.by_class.items()}
    assert by_class == pytest.approx({name: figures[f'segm_mAP_{name}'] for name in 'abc'})


def test_all_of_a_class_is_the_mean_of_the_classes():
    analysis = analyse(random_images(20, 3, seed=3), 'abc')
    for size, overall in analysis.by_size.items():
        classes = [each[size] for each in analysis.by_class.values()]
        assert overall.objects == sum(each.objects for each in classes)
        for kind in ERRORS:
            assert overall.counts[kind] == sum(each.counts[kind] for each in classes)
            mean = np.mean([each.gains[kind] for each in classes if each.objects])
            assert overall.gains[kind] == pytest.approx(mean, abs=1e-3)


def test_each_size_has_its_own_errors():
    """A small object is missed; a medium one is found as a large prediction that is nowhere."""
    small, medium = Thing(0, (100, 20, 120, 40)), Thing(0, BOX)
    found = [Found(0, BOX, 0.6), Found(0, (100, 50, 220, 170), 0.9)]
    sizes = analyse([([small, medium], found)]).by_size
    assert {size: each.objects for size, each in sizes.items()} == dict(
        all=2, small=1, medium=1, large=0
    )
    assert {size: each.ap for size, each in sizes.items()} == dict(
        all=pytest.approx(51 / 101 / 2), small=0, medium=1, large=None
    )
    assert sizes['small'].gains == dict.fromkeys(ERRORS, 0) | dict(missed=1)
    assert sizes['medium'].gains == dict.fromkeys(ERRORS, 0)
    assert sizes['large'].gains == dict.fromkeys(ERRORS, 0)
    assert sizes['large'].counts == dict.fromkeys(ERRORS, 0) | dict(background=1)
    own = analyse([([small, medium], found)], areas=dict(all=AREAS['all'], tiny=(0, 100)))
    assert own.by_size['tiny'].objects == 0


def test_what_would_find_an_object_of_another_size_costs_nothing_there_but_its_place():
    """Badly placed on a medium object, a small prediction is wrong among the small ones."""
    things = [Thing(0, BOX), Thing(0, (200, 0, 220, 20))]
    found = [Found(0, (0, 0, 30, 30), 0.9), Found(0, (200, 0, 220, 20), 0.6)]
    small = analyse([(things, found)]).by_size['small']
    assert small.ap == 0.5
    assert small.counts['localisation'] == 1
    assert small.gains['localisation'] == 0.5
    alone = analyse([(things, found[:1])]).by_size['small']
    assert alone.gains == dict.fromkeys(ERRORS, 0) | dict(missed=1)


def test_of_two_that_would_find_an_object_the_better_one_does():
    """And the object is not missed: it would be found if they were mended."""
    things, found = [Thing(0, BOX)], [Found(0, SHIFTED, 0.9), Found(1, BOX, 0.8)]
    figures = analyse([(things, found)]).by_class['a']['all']
    assert figures.ap == 0
    assert figures.gains == dict.fromkeys(ERRORS, 0) | dict(localisation=1)
    other = analyse([(things, [found[0]._replace(score=0.7), found[1]])]).by_class
    assert other['a']['all'].gains == dict.fromkeys(ERRORS, 0) | {'class': 1}
    assert other['b']['all'].counts['class'] == 1
    assert other['b']['all'].ap is None


def test_a_class_that_is_missed_as_a_whole_gains_all():
    found = [Found(0, (100, 0, 180, 60), 0.9)]
    figures = analyse([([Thing(0, BOX)], found)]).by_class['a']['all']
    assert (figures.ap, figures.gains['missed'], figures.gains['background']) == (0, 1, 0)


def test_nothing_to_find_and_nothing_found():
    figures = analyse([([], [])]).by_size['all']
    assert (figures.objects, figures.ap) == (0, None)
    assert analyse([]).by_size['all'].counts == dict.fromkeys(ERRORS, 0)
    assert analyse([(THINGS, [])]).by_size['all'].gains['missed'] == 1
