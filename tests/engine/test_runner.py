import sys

import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.model import convert_sync_batchnorm
from mmengine.visualization import LocalVisBackend
from torch import nn

from mmdet.engine.runner import Runner, _check_sync_bn
from mmdet.errors import UserError
from mmdet.visualization import DetLocalVisualizer


def build(tmp_path, *backends: dict) -> DetLocalVisualizer:
    runner = Runner.__new__(Runner)
    runner._experiment_name = f'experiment of {tmp_path.name}'
    runner._log_dir = str(tmp_path)
    return runner.build_visualizer(dict(type=DetLocalVisualizer, vis_backends=list(backends)))


def test_a_backend_may_be_named_by_its_class(tmp_path):
    visualizer = build(tmp_path, dict(type=LocalVisBackend))
    assert isinstance(visualizer.get_backend('LocalVisBackend'), LocalVisBackend)


def test_a_backend_may_have_a_name_of_its_own(tmp_path):
    visualizer = build(tmp_path, dict(type='mmengine.LocalVisBackend', name='mine'))
    assert isinstance(visualizer.get_backend('mine'), LocalVisBackend)


@pytest.mark.parametrize(
    ('kind', 'package'),
    [
        ('TensorboardVisBackend', 'tensorboard'),
        ('MLflowVisBackend', 'mlflow'),
        ('WandbVisBackend', 'wandb'),
    ],
)
def test_a_backend_whose_package_is_missing_says_how_to_install_it(
    tmp_path, monkeypatch, kind, package
):
    for name in [package, *(each for each in sys.modules if each.startswith('torch.utils.tens'))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=f'{kind} needs another package: .*pip install .*{package}'):
        build(tmp_path, dict(type=kind))


def test_what_a_backend_refuses_is_one_line(tmp_path):
    class Refusing(LocalVisBackend):
        @property
        def experiment(self) -> None:
            raise RuntimeError('no account:\n  log in')

    with pytest.raises(UserError, match='visualizer: Refusing does not begin: no account: log in'):
        build(tmp_path, dict(type=Refusing))


@pytest.mark.parametrize('inside', [True, False])
def test_settings_are_not_written_over_the_file_that_they_came_from(tmp_path, inside):
    (tmp_path / 'runs').mkdir()
    path = tmp_path / 'runs/mine.py' if inside else tmp_path / 'mine.py'
    path.write_text('a = 1  # mine\n')
    runner = Runner.__new__(Runner)
    runner._work_dir, runner.cfg = str(tmp_path / 'runs'), Config.fromfile(path)
    runner.dump_config()
    assert path.read_text() == 'a = 1  # mine\n'
    assert Config.fromfile(tmp_path / 'runs/mine.py').a == 1


@pytest.mark.parametrize('processes', [False, True])
def test_batch_norms_that_agree_are_refused_on_a_cpu_before_the_first_step(monkeypatch, processes):
    monkeypatch.setattr(dist, 'is_initialized', lambda: processes)
    model = convert_sync_batchnorm(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)))
    if not processes:  # there is nobody to agree with, and torch takes it
        model(torch.zeros(2, 3, 4, 4))
        _check_sync_bn(model)
        return
    with pytest.raises(ValueError, match='on GPU'):
        model(torch.zeros(2, 3, 4, 4))
    with pytest.raises(UserError, match=r"sync_bn='torch' is for GPUs: .* sync_bn=None"):
        _check_sync_bn(model)
    _check_sync_bn(nn.BatchNorm2d(4))
