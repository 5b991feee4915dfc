from types import SimpleNamespace

import pytest
from torch import nn

from mmdet.engine import NumClassCheckHook, PreflightHook
from mmdet.errors import UserError


def runner_of(*, hooks: tuple = (), **classes: object) -> SimpleNamespace:
    """A runner whose head knows two classes, and whose data sets know these."""
    model = nn.Module()
    model.mask_head = nn.Module()
    model.mask_head.num_classes = 2
    said = []
    loops = {
        f'{stage}_loop': SimpleNamespace(
            dataloader=SimpleNamespace(
                dataset=SimpleNamespace(source=stage, metainfo=dict(classes=classes.get(stage)))
            )
        )
        for stage in ('train', 'val', 'test')
    }
    logger = SimpleNamespace(log=lambda level, message: said.append(message))
    return SimpleNamespace(model=model, hooks=hooks, logger=logger, said=said, **loops)


TWO = ('bolt', 'nut')


@pytest.mark.parametrize(
    ('when', 'classes', 'complaint'),
    [
        ('train', dict(train=('bolt',), val=TWO), r'train has 1 classes, but .* set it to 1'),
        ('train', dict(train=TWO, val=(*TWO, 'cap')), r'val has 3 classes, but .*num_classes is 2'),
        ('val', dict(train=TWO, val=('bolt',)), 'val has 1 classes'),
        ('test', dict(train=TWO, test=('bolt',)), 'test has 1 classes'),
        ('train', dict(train='ab', val=TWO), r"classes='ab', which .* write classes=\('ab',\)"),
    ],
)
def test_another_number_of_classes_is_refused(when, classes, complaint):
    runner = runner_of(**classes)
    with pytest.raises(UserError, match=complaint):
        getattr(NumClassCheckHook(), f'before_{when}')(runner)


def test_the_same_number_passes_and_unknown_ones_are_said():
    runner = runner_of(train=TWO)
    NumClassCheckHook().before_train(runner)
    assert runner.said == [
        'val says no classes in its metainfo, so that they cannot be held against '
        'model.mask_head.num_classes=2'
    ]


def test_nothing_is_looked_at_twice():
    runner = runner_of(train=('bolt',), hooks=(PreflightHook(),))
    NumClassCheckHook().before_train(runner)
