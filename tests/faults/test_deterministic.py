"""Two trainings of one seed end with the same weights, to the bit."""

from collections import Counter
from functools import partial
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from torch.utils._python_dispatch import TorchDispatchMode

from mmdet.datasets.shapes import CLASSES
from mmdet.engine.runner import Runner
from mmdet.ops._extension import IS_LOADED
from tests.faults import side_by_side
from tests.faults.test_no_objects import ALL_HEADS
from tests.faults.training import config

COMPILED = {
    f'mmdet_solo::{name}'
    for loss in ('dice_loss', 'sigmoid_focal_loss')
    for name in (loss, f'{loss}_backward')
}


class Calls(TorchDispatchMode):
    """Counts the operations of this project's library that run."""

    def __init__(self) -> None:
        super().__init__()
        self.of: Counter[str] = Counter()

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        if op.namespace == 'mmdet_solo':
            self.of[op._schema.name] += 1
        return op(*args, **(kwargs or {}))


class CountFirst(Hook):
    """Counts in the first step; each takes twice as long so."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == 0:
            self.calls.__enter__()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if runner.iter == 0:
            self.calls.__exit__(None, None, None)


@pytest.mark.skipif(not IS_LOADED, reason='the compiled operations are not built')
@pytest.mark.parametrize(
    ('kind', 'steps', 'threads'),
    [
        ('solo', 6, 1),
        # With several, sums must not depend on who is first. Where other programs use the cores,
        # OMP_WAIT_POLICY=passive keeps threads from spinning for each other, for minutes.
        *(pytest.param(kind, 50, 2, marks=pytest.mark.long) for kind in ALL_HEADS),
    ],
)
def test_two_trainings_are_one(shapes_root, tmp_path, tiny_model, kind, steps, threads):
    tiny_model['mask_head'] |= ALL_HEADS[kind] | dict(num_classes=len(CLASSES))
    tiny_model['neck']['type'] = 'DroppingFPN'

    def work(folder: Path, rank: int) -> None:
        torch.set_num_threads(threads)
        cfg = config(shapes_root, folder, workers=threads)
        cfg.model = tiny_model
        cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=steps)
        cfg.default_hooks = dict(checkpoint=None)
        cfg.randomness = dict(seed=7, deterministic=True)
        runner, calls = Runner.from_cfg(cfg), Calls()
        runner.register_hook(CountFirst(calls))
        assert torch.are_deterministic_algorithms_enabled()
        model = runner.train()
        torch.save((model.state_dict(), calls.of), folder / 'end')

    ends = []
    for folder in (tmp_path / 'one', tmp_path / 'other'):
        codes = side_by_side.run(partial(work, folder), folder, processes=1)
        assert codes == [0], (folder / 'output_0').read_text()
        ends.append(torch.load(folder / 'end'))
    (weights, calls), (others, same_calls) = ends
    assert calls == same_calls
    assert calls.keys() >= COMPILED
    for name, value in weights.items():
        assert torch.equal(value, others[name]), name
