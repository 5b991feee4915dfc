"""What `train-dist` looks up once, for all processes."""

import pytest

from mmdet.cli import train, train_dist
from mmdet.errors import UserError
from tests.conftest import REPO

CONFIG = str(REPO / 'configs/solo/solo_r18_fpn_shapes-cpu.py')


@pytest.fixture
def launched(monkeypatch, shapes_root, tmp_path) -> list[list[str]]:
    """Command lines that processes would have been started with; five images fit into memory."""
    started: list[list[str]] = []

    def launch(module: str, arguments: list[str], **_: object) -> None:
        started.append(arguments)

    def set_batch_size(cfg, *, processes: int) -> None:
        assert cfg.train_dataloader.dataset.data_root == str(shapes_root)
        cfg.train_dataloader.batch_size = 10 // processes

    monkeypatch.setattr(train_dist, 'launch', launch)
    monkeypatch.setattr(train_dist, 'set_batch_size', set_batch_size)
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    monkeypatch.setenv('LOCAL_RANK', '0')
    return started


def test_auto_batch_is_found_once_and_told_to_each_process(launched, shapes_root, tmp_path):
    options = ['--data-root', str(shapes_root), '--work-dir', str(tmp_path)]
    settings = ['--cfg-options', 'train_cfg.max_epochs=1', 'randomness.seed=3']
    train_dist.main([CONFIG, '2', *options, '--auto-batch', *settings])
    args = train.parse_args(launched[0])
    assert not args.auto_batch
    told = {'train_cfg.max_epochs': 1, 'randomness.seed': 3, 'train_dataloader.batch_size': 5}
    assert args.cfg_options == told


def test_auto_batch_is_for_one_machine(launched, monkeypatch):
    monkeypatch.setenv('NNODES', '2')
    with pytest.raises(UserError, match='--auto-batch is for one machine'):
        train_dist.main([CONFIG, '2', '--auto-batch'])
    assert not launched


def test_auto_batch_is_not_for_each_process(shapes_root, tmp_path):
    options = ['--data-root', str(shapes_root), '--work-dir', str(tmp_path)]
    with pytest.raises(UserError, match=r'one process, or train_dist.sh'):
        train.main([CONFIG, *options, '--launcher', 'pytorch', '--auto-batch'])
