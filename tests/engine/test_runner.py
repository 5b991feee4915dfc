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
