from collections.abc import Sequence
from typing import Any, Literal

import pytest
import torch
from mmengine.optim import LinearLR
from torch import nn

from mmdet.engine.config.signature import arguments_of, in_words, may_be, suggestion


class Base:
    def __init__(self, depth: int, width: float = 1.0) -> None: ...


class Derived(Base):
    def __init__(self, name: str = '', **base_args: object) -> None: ...


class Open:
    def __init__(self, name: str = '', **anything: object) -> None: ...


def test_keyword_arguments_go_on_to_the_base():
    arguments = arguments_of(Derived)
    assert set(arguments.parameters) == {'name', 'depth', 'width'}
    assert arguments.hints['depth'] is int
    assert not arguments.is_open
    assert arguments_of(Open).is_open


def test_mmengines_schedulers():
    assert {'optimizer', 'start_factor', 'by_epoch'} <= set(arguments_of(LinearLR).parameters)
    assert not arguments_of(LinearLR).is_open


def test_modules_without_arguments_take_none():
    class Plain(nn.Module): ...

    assert arguments_of(Plain).parameters == {}
    assert not arguments_of(Plain).is_open


@pytest.mark.parametrize(
    ('value', 'hint', 'expected'),
    [
        (1, int, True),
        (12.0, int, True),
        (1.5, int, False),
        ('1', int, False),
        (1, float, True),
        ('1e-3', float | torch.Tensor, False),
        (True, bool, True),
        ('true', bool, False),
        (None, int | None, True),
        (None, int, False),
        ([1, 2], tuple[int, int], True),
        ((1, 'a'), list[int], False),
        ('ab', Sequence[str], False),
        (5, Sequence[int], False),
        (dict(), dict | None, True),
        ([], dict | None, False),
        (dict(type='ReLU'), nn.Module, True),
        ('ReLU', nn.Module, False),
        (dict, str, True),  # a class for its name
        ('a', Literal['a', 'b'], True),
        ('c', Literal['a', 'b'], False),
        ('anything', Any, True),
        ('anything', object, True),
    ],
)
def test_may_be(value, hint, expected):
    assert may_be(value, hint) is expected


def test_words():
    assert in_words(int | None) == 'integer or None'
    assert in_words(Literal['a', 'b']) == "'a' or 'b'"
    assert suggestion('deep', ['depth', 'width']) == "; did you mean 'depth'?"
    assert suggestion('xyz', ['depth']) == ''
