"""What follows a training: the pictures, and where things are. The tools here are stand-ins."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.config import Config

from mmdet.engine.quick_start import train_and_draw


class Tools:
    """A training that leaves `files` in its work directory, and a test that notes its arguments."""

    def __init__(self, work_dir: Path, *, files: tuple[str, ...], last: str | None) -> None:
        self.work_dir, self.files = work_dir, files
        self.last = last and str(work_dir / last)
        self.arguments = []

    def train(self, arguments: list[str]) -> SimpleNamespace:
        self.arguments.append(arguments)
        for name in self.files:
            (self.work_dir / name).parent.mkdir(parents=True, exist_ok=True)
            (self.work_dir / name).touch()
        return SimpleNamespace(
            work_dir=str(self.work_dir),
            log_dir=str(self.work_dir / 'now'),
            timestamp='now',
            message_hub=SimpleNamespace(runtime_info={'last_ckpt': self.last}),
            cfg=Config.fromfile(arguments[0]),
        )

    def test(self, arguments: list[str]) -> None:
        self.arguments.append(arguments)
        Path(arguments[arguments.index('--show-dir') + 1]).mkdir()


@pytest.fixture
def config(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp('configs') / 'mine.py'
    path.write_text('visualizer = dict()\ntest_dataloader = dict()')
    return str(path)


FILES = ('mine.py', 'epoch_1.pth', 'curves.png', 'now/now.log')


def test_the_last_checkpoint_is_drawn_and_what_is_there_is_listed(tmp_path, config, capsys):
    tools = Tools(tmp_path, files=FILES, last='epoch_1.pth')
    train_and_draw([config, '--amp'], train=tools.train, test=tools.test)
    trained, tested = tools.arguments
    assert trained == [config, '--amp']
    assert tested[:2] == [f'{tmp_path}/mine.py', f'{tmp_path}/epoch_1.pth']
    assert tested[tested.index('--show-dir') + 1] == f'{tmp_path}/vis'
    assert tested[tested.index('--work-dir') + 1] == f'{tmp_path}/test'
    said = capsys.readouterr().out
    for name in (*FILES, 'vis'):
        assert f' {tmp_path / name}\n' in said


def test_what_is_not_there_is_not_listed(tmp_path, config, capsys):
    tools = Tools(tmp_path, files=('mine.py', 'epoch_1.pth'), last='epoch_1.pth')
    train_and_draw([config], train=tools.train, test=tools.test)
    assert 'curves.png' not in capsys.readouterr().out


@pytest.mark.parametrize('last', [None, 'epoch_2.pth'])
def test_a_checkpoint_of_another_run_is_not_drawn(tmp_path, config, capsys, last):
    tools = Tools(tmp_path, files=('mine.py', 'epoch_1.pth', 'last_checkpoint'), last=last)
    train_and_draw([config], train=tools.train, test=tools.test)
    assert len(tools.arguments) == 1
    assert 'no pictures' in capsys.readouterr().out


def test_a_failure_to_draw_is_raised_after_the_list(tmp_path, config, capsys):
    def test(arguments):
        raise RuntimeError('no pictures')

    tools = Tools(tmp_path, files=FILES, last='epoch_1.pth')
    with pytest.raises(RuntimeError, match='no pictures'):
        train_and_draw([config], train=tools.train, test=test)
    said = capsys.readouterr().out
    assert f'{tmp_path}/epoch_1.pth\n' in said
    assert f'{tmp_path}/vis' not in said


def test_without_a_test_set_nothing_is_drawn(tmp_path, config, capsys):
    Path(config).write_text('')
    tools = Tools(tmp_path, files=FILES, last='epoch_1.pth')
    train_and_draw([config], train=tools.train, test=tools.test)
    assert tools.arguments == [[config]]
    said = capsys.readouterr().out
    assert 'mine.py has no test_dataloader: no pictures are drawn.' in said
    assert f' {tmp_path}/epoch_1.pth\n' in said
