"""What was trained, exported and tested: the figures are those of the checkpoint."""

import json

from tests.processes import run_tool


def test_the_figures_are_those_of_the_checkpoint(
    trained, config, shapes_root, environment, tmp_path
):
    checkpoint, file = trained / 'epoch_2.pth', tmp_path / 'model.pt2'
    # The test's thresholds let every pair of a cell and a class through.
    run = run_tool(
        *('tools/deployment/export.py', str(checkpoint), '--format', 'torch-export', '--dynamic'),
        *('--candidates', '5000', '--out', str(file)),
        environment=environment,
    )
    assert run.returncode == 0, run.stderr
    figures = []
    for model in (checkpoint, file):
        work_dir = tmp_path / model.stem
        run = run_tool(
            *('tools/test.py', config, str(model), '--work-dir', str(work_dir)),
            *('--data-root', str(shapes_root)),
            environment=environment,
        )
        assert run.returncode == 0, run.stderr
        metrics = json.loads((work_dir / 'metrics.json').read_text())
        figures.append({name: round(value, 3) for name, value in metrics.items() if 'mAP' in name})
    assert figures[0] == figures[1]
    assert len(figures[0]) > 8


def test_a_file_of_another_model(trained, config, environment, tmp_path):
    file = tmp_path / 'model.pt2'
    file.write_bytes(b'nothing')
    run = run_tool('tools/test.py', config, str(file), environment=environment)
    assert run.returncode == 2
    assert 'cannot load' in run.stderr.splitlines()[-1]
