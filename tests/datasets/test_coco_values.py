import pytest

from mmdet.datasets.coco_values import identifier_key, real_number, whole_number

HUGE = 10**400


@pytest.mark.parametrize(
    ('value', 'number'),
    [(640, 640), ('640', 640), (' 640 ', 640), (640.0, 640), ('640.0', 640), (-3, -3)],
)
def test_whole_numbers_however_they_are_written(value, number):
    assert whole_number(value) == number
    assert type(whole_number(value)) is int


@pytest.mark.parametrize(
    'value', [640.5, '640px', '', None, True, [640], {}, float('nan'), float('inf'), 'nan', HUGE]
)
def test_what_is_no_whole_number(value):
    assert whole_number(value) is None


def test_real_numbers():
    assert [real_number(value) for value in (0.5, '0.5', 3, '1e2')] == [0.5, 0.5, 3, 100]
    assert [real_number(value) for value in ('x', None, False, [1], 'inf', HUGE)] == [None] * 6


def test_one_id_however_it_is_written_but_not_two():
    assert {identifier_key(value) for value in (7, '7', 7.0)} == {7}
    assert len({identifier_key(value) for value in (7, '07', '7a', ' 7')}) == 4
    assert [identifier_key(value) for value in (None, 1.5, [1], True)] == [None] * 4
    assert identifier_key('7.0') == '7.0'
