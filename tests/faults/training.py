"""A training in which much is random, small enough to be run many times."""

from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook, Hook
from torch.nn import functional

from mmdet.engine.runner import Runner
from mmdet.models.necks import FPN
from mmdet.registry import MODELS
from tests.conftest import REPO

IMAGES, BATCH = 12, 2
EPOCH = IMAGES // BATCH  # steps


@MODELS.register_module()
class DroppingFPN(FPN):
    """A neck that draws from the model's generator at each step."""

    def forward(self, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return tuple(functional.dropout(out, 0.2, self.training) for out in super().forward(inputs))


class Losses(Hook):
    """Notes the loss of each step as it is, by its iteration."""

    def __init__(self) -> None:
        self.of: dict[int, float] = {}

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.of[runner.iter] = outputs['loss'].item()


class Trained(NamedTuple):
    losses: dict[int, float]
    weights: dict[str, torch.Tensor]
    runner: Runner


def config(root: Path, folder: Path, *, epochs: int = 5, workers: int = 0) -> Config:
    """Return the settings; a checkpoint is saved after each nine steps, and after each epoch."""
    cfg = Config.fromfile(REPO / 'configs/solo/solo_r18_fpn_shapes-cpu.py')
    data = cfg.train_dataloader
    data.dataset.data_root = str(root)
    data.dataset.pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
        dict(type='RandomResize', scale=[(64, 64), (128, 128)], keep_ratio=True),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PackDetInputs'),
    ]
    data.update(batch_size=BATCH, num_workers=workers, persistent_workers=workers > 0)
    cfg.model.backbone.update(base_channels=8)
    cfg.model.neck.update(type='DroppingFPN', in_channels=[8, 16, 32, 64], out_channels=16)
    cfg.model.mask_head.update(
        in_channels=16, feat_channels=16, stacked_convs=1, norm_cfg=dict(type='GN', num_groups=4)
    )
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.test_cfg = cfg.test_dataloader = cfg.test_evaluator = None
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=epochs, val_interval=99)
    cfg.optim_wrapper = dict(
        type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.002), clip_grad=dict(max_norm=10)
    )
    cfg.param_scheduler = [
        dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=10),
        dict(type='MultiStepLR', milestones=[2], by_epoch=True),
    ]
    cfg.custom_hooks = []
    cfg.default_hooks = dict(
        checkpoint=dict(type='CheckpointHook', interval=9, by_epoch=False, save_last=False),
        epochs=dict(type='CheckpointHook', interval=1, max_keep_ckpts=-1, save_last=False),
        sampler_seed=dict(type='DistSamplerSeedHook'),
    )
    cfg.randomness = dict(seed=0)
    cfg.log_level = 'WARNING'
    cfg.work_dir = cfg.experiment_name = cfg.visualizer.name = str(folder)
    return cfg


def with_validation(cfg: Config, root: Path) -> Config:
    """Return the settings with a validation after each epoch."""
    other = Config.fromfile(REPO / 'configs/solo/solo_r18_fpn_shapes-cpu.py')
    cfg.update({key: other[key] for key in ('val_cfg', 'val_dataloader', 'val_evaluator')})
    cfg.val_dataloader.dataset.data_root = str(root)
    cfg.val_dataloader.update(batch_size=1, num_workers=0, persistent_workers=False)
    cfg.val_evaluator.ann_file = f'{root}/annotations/instances_val2017.json'
    cfg.train_cfg.val_interval = 1
    return cfg


def train(cfg: Config, *, resume: Path | None = None, runner_type: type = Runner) -> Trained:
    cfg.load_from, cfg.resume = resume and str(resume), resume is not None
    runner = runner_type.from_cfg(cfg)
    losses = Losses()
    runner.register_hook(losses, priority='VERY_HIGH')
    model = runner.train()
    averaged = (hook.ema_model for hook in runner.hooks if isinstance(hook, EMAHook))
    states = [model.state_dict(), *(each.state_dict(prefix='averaged.') for each in averaged)]
    weights = {key: value.clone() for state in states for key, value in state.items()}
    return Trained(losses.of, weights, runner)


def assert_same(resumed: Trained, whole: Trained, *, stop: int) -> None:
    """Both trainings are equal from step `stop` on, to the last bit."""
    assert resumed.losses == {step: loss for step, loss in whole.losses.items() if step >= stop}
    assert len(resumed.losses) >= 20
    assert resumed.weights.keys() == whole.weights.keys()
    for name, weight in whole.weights.items():
        assert torch.equal(resumed.weights[name], weight), name
