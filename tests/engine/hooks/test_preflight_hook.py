"""What the hook stops before the first step of a real runner."""

import json
import logging
import shutil
from collections import namedtuple

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Dataset

from mmdet.engine.hooks import PreflightHook
from mmdet.engine.hooks.preflight_hook import _check_best
from mmdet.errors import UserError
from mmdet.evaluation import CocoMetric


class Numbers(Dataset):
    metainfo = dict(classes=('bolt',))

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.ones(1)


class Model(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1000)
        self.steps = 0

    def forward(self, inputs: torch.Tensor, mode: str = 'tensor') -> dict | list:
        self.steps += 1
        loss = self.layer(inputs).mean()
        return dict(loss=loss) if mode == 'loss' else [dict()]

    def train_step(self, data: torch.Tensor, optim_wrapper: OptimWrapper) -> dict:
        losses = self(data, mode='loss')
        optim_wrapper.update_params(losses['loss'])
        return losses

    def val_step(self, data: torch.Tensor) -> list:
        return self(data, mode='predict')

    test_step = val_step


class StandIn(BaseMetric):
    """A metric that is ready or is not."""

    def __init__(self, complaint: str | None = None) -> None:
        super().__init__()
        self.complaint = complaint
        self.prepared_for = []

    def prepare(self) -> None:
        if self.complaint:
            raise UserError(self.complaint)
        self.prepared_for.append(self.dataset_meta['classes'])

    def process(self, data_batch, data_samples) -> None:
        self.results += data_samples

    def compute_metrics(self, results) -> dict:
        return dict(count=len(results))


class WithoutPrepare(StandIn):
    prepare = None


@pytest.fixture
def runner_of(tmp_path, request):
    def build(*metrics: BaseMetric, **checkpoint: object) -> Runner:
        model = Model()
        runner = Runner(
            model=model,
            work_dir=str(tmp_path),
            default_scope='mmdet',
            train_dataloader=DataLoader(Numbers()),
            val_dataloader=DataLoader(Numbers()),
            test_dataloader=DataLoader(Numbers()),
            train_cfg=dict(by_epoch=True, max_epochs=3, val_interval=3),
            val_cfg=dict(),
            test_cfg=dict(),
            optim_wrapper=OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)),
            val_evaluator=Evaluator(list(metrics)),
            test_evaluator=Evaluator(list(metrics)),
            default_hooks=dict(
                checkpoint=dict(type='mmengine.CheckpointHook', interval=1, **checkpoint)
            ),
            experiment_name=request.node.name,
        )
        runner.register_hook(PreflightHook())
        return runner

    return build


def free(monkeypatch, size: int) -> None:
    usage = namedtuple('usage', 'total used free')(10**12, 10**12 - size, size)
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: usage)


@pytest.mark.parametrize('stage', ['train', 'test'])
def test_a_metric_that_is_not_ready_ends_the_run_before_its_first_step(runner_of, stage):
    runner = runner_of(WithoutPrepare(), StandIn('val.json does not exist'))
    with pytest.raises(UserError, match=r'val\.json does not exist'):
        getattr(runner, stage)()
    assert runner.model.steps == 0


@pytest.mark.parametrize('stage', ['train', 'test'])
def test_metrics_are_asked_once_and_know_the_classes(runner_of, stage):
    metric = StandIn()
    getattr(runner_of(metric), stage)()
    assert metric.prepared_for == [('bolt',)]


@pytest.mark.parametrize('stage', ['train', 'test'])
def test_coco_metric_reads_its_file_before_the_first_step(runner_of, tmp_path, stage):
    content = dict(
        images=[dict(id=1, file_name='a.jpg', width=8, height=8)],
        categories=[dict(id=1, name='nut')],
    )
    (tmp_path / 'val.json').write_text(json.dumps(content))
    runner = runner_of(CocoMetric(str(tmp_path / 'val.json')))
    with pytest.raises(UserError, match="no category 'bolt'"):
        getattr(runner, stage)()
    assert runner.model.steps == 0


@pytest.mark.parametrize('stage', ['train', 'test'])
def test_a_head_for_other_classes(runner_of, stage):
    runner = runner_of(StandIn())
    runner.model.mask_head = torch.nn.Identity()
    runner.model.mask_head.num_classes = 80
    with pytest.raises(UserError, match=r'has 1 classes, but model\.mask_head.num_classes is 80'):
        getattr(runner, stage)()
    assert runner.model.steps == 0


def test_the_best_by_a_figure_that_nothing_reports(runner_of, tmp_path):
    """As of a config for COCO with another metric."""
    content = dict(
        images=[dict(id=1, file_name='a.jpg', width=8, height=8)],
        categories=[dict(id=1, name='bolt')],
    )
    (tmp_path / 'val.json').write_text(json.dumps(content))
    metric = CocoMetric(str(tmp_path / 'val.json'), metric=['bbox'])
    runner = runner_of(metric, save_best='coco/segm_mAP', rule='greater')
    with pytest.raises(
        UserError, match=r"'coco/segm_mAP' is none of .* one of coco/bbox_mAP, coco/"
    ):
        runner.train()
    assert runner.model.steps == 0


@pytest.mark.parametrize('name', ['coco/bbox_mAP_50', 'coco/bbox_mAP_bolt', 'auto', None])
def test_the_best_by_a_figure_that_there_is(runner_of, name):
    metric = CocoMetric('val.json', metric=['bbox'], classwise=True)
    metric.dataset_meta = dict(classes=('bolt',))
    _check_best(runner_of(metric, save_best=name, rule='greater'))
    metric.format_only = True
    assert metric.reported() == []


def test_the_best_by_a_figure_of_ones_own(runner_of):
    _check_best(runner_of(StandIn(), CocoMetric('val.json'), save_best='count', rule='greater'))


def test_no_room_for_a_checkpoint(runner_of, monkeypatch):
    free(monkeypatch, 15_000)  # 8 kB of weights, 8 kB of momentum
    runner = runner_of(StandIn())
    with pytest.raises(UserError, match=r'takes about 0\.0 MB, but .* has 0\.0 MB left: make room'):
        runner.train()
    assert runner.model.steps == 0


def test_room_for_some_checkpoints_is_said(runner_of, monkeypatch, caplog):
    free(monkeypatch, 40_000)
    runner = runner_of(StandIn())
    runner.logger.addHandler(caplog.handler)
    with caplog.at_level(logging.WARNING):
        runner.train()
    (said,) = [record.getMessage() for record in caplog.records if 'room for' in record.message]
    assert 'room for 2 checkpoints' in said and '3 are to be there at once' in said
    assert 'max_keep_ckpts=1' in said


@pytest.mark.parametrize('settings', [dict(max_keep_ckpts=1), dict(save_optimizer=False)])
def test_what_fits_is_not_mentioned(runner_of, monkeypatch, caplog, settings):
    free(monkeypatch, 40_000)
    runner = runner_of(StandIn(), **settings)
    runner.logger.addHandler(caplog.handler)
    runner.train()
    assert not [record for record in caplog.records if 'room' in record.getMessage()]


def test_of_several_processes_the_first_looks(runner_of, monkeypatch):
    monkeypatch.setattr('mmdet.engine.hooks.preflight_hook.is_main_process', lambda: False)
    free(monkeypatch, 0)
    metric = StandIn('not asked')
    runner_of(metric).train()
    assert metric.prepared_for == []


def test_the_disk_of_the_checkpoints_is_looked_at(runner_of, tmp_path, monkeypatch):
    other = tmp_path / 'other disk'
    other.mkdir()
    usage = namedtuple('usage', 'free')
    monkeypatch.setattr(
        shutil, 'disk_usage', lambda path: usage(0 if str(path) == str(other) else 10**9)
    )
    runner = runner_of(StandIn(), out_dir=str(other))
    with pytest.raises(UserError, match=r'other disk.* has 0\.0 MB left'):
        runner.train()
