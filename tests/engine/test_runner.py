import pytest
from mmengine.config import Config
from mmengine.visualization import LocalVisBackend

from mmdet.engine.runner import Runner
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
