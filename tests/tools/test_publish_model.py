"""tools/model_converters/publish_model.py, on what a training with `save_best` leaves."""

import pytest

from mmdet.engine.checkpoint import read_checkpoint
from tests.processes import run_tool

TOOL = 'tools/model_converters/publish_model.py'


def test_the_best_checkpoint_has_the_figures_of_its_validation(
    config, environment, shapes_root, tmp_path
):
    run = run_tool(
        *('tools/train.py', config, '--work-dir', str(tmp_path), '--data-root', str(shapes_root)),
        *('--cfg-options', 'default_hooks.checkpoint.save_best=coco/segm_mAP'),
        'train_cfg.max_epochs=1',
        environment=environment,
    )
    assert run.returncode == 0, run.stderr
    (best,) = tmp_path.glob('best_*.pth')
    run = run_tool(TOOL, str(best), str(tmp_path / 'out.safetensors'), environment=environment)
    assert run.returncode == 0, run.stderr
    (published,) = tmp_path.glob('out-*.safetensors')
    hub = read_checkpoint(str(best), map_location='cpu')['message_hub']
    metrics = read_checkpoint(str(published), map_location='cpu')['meta']['metrics']
    assert metrics['coco/segm_mAP'] == pytest.approx(hub['runtime_info']['best_score'])
    assert 'coco/segm_mAP_75' in metrics and 'warning' not in run.stdout


def test_a_mistake_is_one_line(environment, tmp_path):
    (tmp_path / 'in.pth').mkdir()
    run = run_tool(TOOL, str(tmp_path / 'in.pth'), str(tmp_path / 'out'), environment=environment)
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert line == f'error: checkpoint {tmp_path}/in.pth is a folder: name a file in it'
