"""A whole run with the model on a device that is not the CPU: what crosses to the host is moved."""

import json
from pathlib import Path

import cv2
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmdet.datasets.shapes import CLASSES
from mmdet.engine.runner import Runner as OurRunner
from mmdet.errors import UserError
from tests import devices


@pytest.fixture
def config(tiny_model, shapes_root, tmp_path) -> dict:
    """Settings of a training with a log, checkpoints, validation, curves and pictures."""
    tiny_model['mask_head']['num_classes'] = len(CLASSES)
    tiny_model['test_cfg'] = dict(score_thr=0.0, mask_thr=0.01, filter_thr=0.0, max_per_img=10)
    load = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
        dict(type='Resize', scale=(96, 96), keep_ratio=True),
        dict(type='PackDetInputs'),
    ]

    def loader(split: str) -> dict:
        return dict(
            batch_size=4,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='ShapesDataset',
                data_root=str(shapes_root),
                ann_file=f'annotations/instances_{split}.json',
                data_prefix=dict(img=f'{split}/'),
                pipeline=load,
                test_mode=split != 'train2017',
            ),
        )

    metric = dict(
        type='CocoMetric', ann_file=str(shapes_root / 'annotations/instances_val2017.json')
    )
    return dict(
        default_scope='mmdet',
        model=tiny_model,
        train_dataloader=loader('train2017'),
        val_dataloader=loader('val2017'),
        test_dataloader=loader('val2017'),
        val_evaluator=metric,
        test_evaluator=metric,
        train_cfg=dict(by_epoch=True, max_epochs=1),
        val_cfg=dict(),
        test_cfg=dict(),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.001), clip_grad=dict(max_norm=10)),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1),
            checkpoint=dict(type='CheckpointHook', interval=1),
            visualization=dict(
                type='DetVisualizationHook', draw=True, interval=1, score_thr=0, test_out_dir='vis'
            ),
        ),
        custom_hooks=[dict(type='CurvesHook')],
        visualizer=dict(type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
        work_dir=str(tmp_path / 'work'),
    )


def run_of(config: dict, device: torch.device, **more: object) -> Runner:
    runner = Runner.from_cfg(Config({**config, **more}))
    runner.model.to(device)
    return runner


def test_training_testing_and_resuming(config, other_device):
    runner = run_of(config, other_device)
    runner.train()
    assert next(runner.model.parameters()).device == other_device
    work_dir = Path(runner.work_dir)

    scalars = (work_dir / runner.timestamp / 'vis_data' / 'scalars.json').read_text()
    logged = [json.loads(line) for line in scalars.splitlines()]
    assert sum('loss_mask' in line for line in logged) == 3  # 12 images, 4 a step
    assert 'coco/segm_mAP' in logged[-1]

    checkpoint = torch.load(work_dir / 'epoch_1.pth', weights_only=True)
    moments = [state['exp_avg'] for state in checkpoint['optimizer']['state'].values()]
    for tensor in (*checkpoint['state_dict'].values(), *moments):
        assert type(tensor) is Tensor and tensor.device.type == 'cpu'

    drawn = list((work_dir / runner.timestamp / 'vis_data' / 'vis_image').iterdir())
    assert len(drawn) == 2  # one a batch of the 7 images to validate with
    assert cv2.imread(str(work_dir / 'curves.png')) is not None

    runner = run_of(config, other_device, resume=True, train_cfg=dict(by_epoch=True, max_epochs=2))
    runner.train()
    assert runner.iter == 6
    runner.test()
    assert len(list((work_dir / runner.timestamp / 'vis').rglob('*.jpg'))) == 7


class StepsAlone(Hook):
    """Note for what the host waited in each step of a training, from its batch to its losses."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.names: list[list[str]] = []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.counting = devices.waits()
        self.names.append(self.counting.__enter__())

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.counting.__exit__(None, None, None)


def waits_of_steps(config: dict, device: torch.device) -> list[list[str]]:
    steps = StepsAlone()
    runner = run_of(config | dict(custom_hooks=[]), device)
    runner.register_hook(steps)
    runner.train()
    return steps.names


@pytest.fixture
def short(config) -> dict:
    """Two steps of an image each, and nothing else."""
    config['train_dataloader'] |= dict(batch_size=1)
    config['train_dataloader']['dataset'] |= dict(indices=2)
    return config | dict(val_cfg=None, val_dataloader=None, val_evaluator=None)


@pytest.mark.skipif(torch.cuda.is_available(), reason='no device of ours, whose waits are counted')
def test_how_often_a_step_waits_for_the_device(short, other_device):
    """Before the network for the targets; after it for the gradients' norm, read by the optimizer's
    wrapper and by what clips them, and for the losses: no more often than mmengine has it.
    """
    short['default_hooks']['logger']['interval'] = 10
    ours = waits_of_steps(short, other_device)
    assert [len(names) for names in ours] == [4, 4]
    short['optim_wrapper'] |= dict(type='mmengine.OptimWrapper')
    short['default_hooks']['runtime_info'] = dict(type='mmengine.RuntimeInfoHook')
    theirs = waits_of_steps(short, other_device)
    assert len(ours[0]) <= len(theirs[0])


class SpoilWeight(Hook):
    """Make a weight infinite when a training begins; notes what the model then is."""

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if batch_idx == 0:
            next(runner.model.parameters()).data.fill_(torch.inf)
            self.state = {name: x.cpu() for name, x in runner.model.state_dict().items()}


def test_steps_that_are_not_finite_are_left_out(short, other_device):
    short['model']['backbone']['norm_eval'] = False
    runner = OurRunner.from_cfg(Config(short | dict(custom_hooks=[dict(type='EMAHook')])))
    runner.model.to(other_device)
    spoil = SpoilWeight()
    runner.register_hook(spoil)
    with pytest.raises(UserError, match=r'backbone\.conv1\.weight'):
        runner.train()
    for name, value in runner.model.state_dict().items():
        assert torch.equal(value.cpu(), spoil.state[name]), name
    (log,) = Path(runner.work_dir).glob('*/*.log')
    assert log.read_text().count(' is left out: loss nan') == 2
    assert not list(Path(runner.work_dir).glob('*.pth'))
