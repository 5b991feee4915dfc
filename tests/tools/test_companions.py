"""What people add to a training, a line of the config each, and what each line does to it.

One training has all of them: none disturbs another.
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmdet.engine.launch import build_runner
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS
from tests.test_configs import load

# Of each epoch's validation: the best is the second, and two after it are no better.
SCORES = (0.1, 0.3, 0.2, 0.3)
RATE, MAX_NORM, MOMENTUM, GAMMA = 0.1, 0.05, 0.1, 8
CONFIG = f"""
_base_ = '{{config}}'
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='SGD', lr={RATE}),
    accumulative_counts=3,
    clip_grad=dict(max_norm={MAX_NORM}),
)
default_hooks = dict(checkpoint=dict(save_best='coco/segm_mAP', rule='greater'))
custom_hooks = [
    dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum={MOMENTUM}, gamma={GAMMA}),
    dict(type='EarlyStoppingHook', monitor='coco/segm_mAP', patience=2, min_delta=0.001),
]
param_scheduler = []
train_cfg = dict(max_epochs=9)
val_evaluator = dict(type='ScriptedMetric')
"""
WEIGHT = 'mask_head.conv_cls.weight'


@METRICS.register_module()
class ScriptedMetric(CocoMetric):
    """COCO's figures, but for the one that the hooks look at."""

    validations = 0

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        self.validations += 1
        return {**super().compute_metrics(results), 'segm_mAP': SCORES[self.validations - 1]}


class Noting(Hook):
    """Keeps all weights after each step, and those that are validated."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.trained: list[dict[str, Tensor]] = []
        self.validated: list[Tensor] = []

    def before_train(self, runner: Runner) -> None:
        self.trained.append(weights(runner))

    def after_train_iter(self, runner: Runner, *_: object, **__: object) -> None:
        self.trained.append(weights(runner))

    def before_val_epoch(self, runner: Runner) -> None:
        self.validated.append(weights(runner)[WEIGHT])


class Run(NamedTuple):
    """A training that has ended."""

    runner: Runner
    noted: Noting
    folder: Path


def weights(runner: Runner) -> dict[str, Tensor]:
    return {name: each.detach().clone() for name, each in runner.model.named_parameters()}


@pytest.fixture(scope='module')
def run(config, shapes_root, tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp('companions')
    path = folder / 'mine.py'
    path.write_text(CONFIG.format(config=config))
    options = ('--data-root', str(shapes_root), '--work-dir', str(folder))
    runner, noted = build_runner(load(path, *options)), Noting()
    runner.register_hook(noted)
    runner.train()
    return Run(runner, noted, folder)


def read(path: Path) -> Mapping:
    return torch.load(path, weights_only=True)


def test_early_stopping_stops(run):
    assert run.runner.epoch == len(SCORES)
    assert (run.folder / 'epoch_4.pth').is_file() and not (run.folder / 'epoch_5.pth').exists()


def test_gradients_are_accumulated_and_clipped(run):
    """Each epoch has three batches, so that the weights move once in it, by no more than that."""
    assert run.runner.message_hub.get_scalar('train/grad_norm').min() > MAX_NORM
    moved = []
    for before, after in pairwise(run.noted.trained):
        steps = [(after[name] - before[name]).flatten() for name in before]
        moved.append(torch.cat(steps).norm().item())
    assert len(moved) == 3 * len(SCORES)
    assert moved == pytest.approx([0, 0, RATE * MAX_NORM] * len(SCORES), rel=1e-3)


def test_averaged_weights_are_validated_and_saved(run):
    trained = [each[WEIGHT] for each in run.noted.trained[1:]]
    average, averages = trained[0], []
    for number, weight in enumerate(trained):
        follows = (1 - MOMENTUM) * math.exp(-(1 + number) / GAMMA) + MOMENTUM
        average = average.lerp(weight, follows) if number else weight
        if number % 3 == 2:
            averages.append(average)
    for epoch, (validated, expected) in enumerate(
        zip(run.noted.validated, averages, strict=True), 1
    ):
        torch.testing.assert_close(validated, expected)
        checkpoint = read(run.folder / f'epoch_{epoch}.pth')
        assert torch.equal(checkpoint['state_dict'][WEIGHT], validated)
        own = trained[3 * epoch - 1]
        assert torch.equal(checkpoint['ema_state_dict'][f'module.{WEIGHT}'], own)
        assert not torch.equal(own, validated)


def test_the_best_is_kept(run):
    (best,) = run.folder.glob('best_*.pth')
    assert best.name == 'best_coco_segm_mAP_epoch_2.pth'
    assert torch.equal(read(best)['state_dict'][WEIGHT], run.noted.validated[1])
