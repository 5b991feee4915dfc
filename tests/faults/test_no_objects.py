"""One of two processes has no object to learn from: both take the same steps all the same."""

import json
import math
import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmdet.datasets.shapes import CLASSES
from mmdet.engine.launch import build_runner
from mmdet.engine.processes import leave_processes
from tests.faults import side_by_side
from tests.faults.training import Losses, config
from tests.samples import HEADS, MASK_FEATURE_HEAD

LIGHT = dict(
    type='SOLOV2Head', stacked_convs=2, mask_feature_head=MASK_FEATURE_HEAD | dict(out_channels=8)
)
ALL_HEADS = HEADS | {'solov2-light': LIGHT}
QUICK = [name for name in ALL_HEADS if 'dcn' not in name]


def settings(root: Path, folder: Path, model: dict, *, amp: bool, steps: int) -> Config:
    cfg = config(root, folder)
    cfg.model = model
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=steps)
    cfg.param_scheduler = None
    cfg.optim_wrapper.type = 'AmpOptimWrapper' if amp else 'OptimWrapper'
    cfg.default_hooks = dict(checkpoint=None)
    cfg.launcher = 'pytorch'
    return cfg


@pytest.fixture
def no_objects(shapes_root, tmp_path) -> str:
    """An annotation file of the training's images, on which there is nothing."""
    truth = json.loads((shapes_root / 'annotations/instances_train2017.json').read_text())
    (tmp_path / 'nothing.json').write_text(json.dumps(truth | dict(annotations=[])))
    return str(tmp_path / 'nothing.json')


@pytest.mark.parametrize(
    ('kinds', 'steps', 'amp'),
    [
        (QUICK, 2, True),  # in a second step DDP would miss the gradients of the first
        *(
            pytest.param([kind], 50, amp, marks=pytest.mark.long, id=f'{kind}-amp={amp}')
            for kind in ALL_HEADS
            for amp in (False, True)
        ),
    ],
)
def test_both_go_on(shapes_root, tmp_path, tiny_model, no_objects, kinds, steps, amp):
    tiny_model['mask_head']['num_classes'] = len(CLASSES)
    ports = {kind: side_by_side.free_port() for kind in kinds}  # each training has its own

    def work(rank: int) -> None:
        for kind, port in ports.items():
            os.environ['MASTER_PORT'] = port
            model = tiny_model | dict(mask_head=tiny_model['mask_head'] | ALL_HEADS[kind])
            cfg = settings(shapes_root, tmp_path / kind, model, amp=amp, steps=steps)
            if rank == 1:
                cfg.train_dataloader.dataset |= dict(
                    ann_file=no_objects, filter_cfg=dict(filter_empty_gt=False)
                )
            runner = build_runner(cfg)
            losses = Losses()
            runner.register_hook(losses, priority='VERY_HIGH')
            runner.train()
            assert runner.model.find_unused_parameters is False
            torch.save((losses.of, runner.model.module.state_dict()), tmp_path / f'{kind}_{rank}')
            del runner
            leave_processes()
            assert side_by_side.threads_of_groups() == 0

    codes = side_by_side.run(work, tmp_path, processes=2)
    assert codes == [0, 0], [(tmp_path / f'output_{rank}').read_text() for rank in (0, 1)]
    for kind in kinds:
        (of_first, weights), (of_second, others) = (
            torch.load(tmp_path / f'{kind}_{rank}') for rank in (0, 1)
        )
        assert len(of_first) == len(of_second) == steps
        assert all(map(math.isfinite, [*of_first.values(), *of_second.values()]))
        for name, value in weights.items():
            assert 'running_' in name or torch.equal(value, others[name]), (kind, name)
