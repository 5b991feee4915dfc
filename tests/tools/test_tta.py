"""tools/test.py --tta."""

import json
from pathlib import Path

import pytest

from mmdet.apis import infer, inference_pipeline, load_detector
from mmdet.datasets.image_file import read_image
from tests.processes import run_tool


def test_it_finds_what_an_augmented_detector_finds(
    trained, config, shapes_root, environment, tmp_path
):
    checkpoint = str(trained / 'epoch_2.pth')
    run = run_tool(
        *('tools/test.py', config, checkpoint, '--work-dir', str(tmp_path), '--tta'),
        *('--data-root', str(shapes_root), '--out', str(tmp_path / 'results.json')),
        *('--show-dir', str(tmp_path / 'vis'), '--show-limit', '1'),
        environment=environment,
    )
    assert run.returncode == 0, run.stderr
    assert len(list((tmp_path / 'vis').iterdir())) == 1
    # Figures of several views are not taken for the checkpoint's.
    assert [path.name for path in tmp_path.glob('metrics*')] == ['metrics_tta.json']
    truth = json.loads((shapes_root / 'annotations/instances_val2017.json').read_text())
    first = truth['images'][0]
    results = json.loads((tmp_path / 'results.json').read_text())
    scores = sorted(each['score'] for each in results if each['image_id'] == first['id'])
    image = read_image(str(Path(shapes_root, 'val2017', first['file_name'])))
    for tta in (True, False):
        model = load_detector(checkpoint, device='cpu', tta=tta)
        (found,) = infer(model, [image], inference_pipeline(model.cfg))
        is_same = sorted(found.pred_instances.scores.tolist()) == pytest.approx(scores, abs=1e-5)
        assert is_same == tta


def test_a_mistake_in_the_views(trained, config, shapes_root, environment, tmp_path):
    path = tmp_path / 'mistaken.py'
    path.write_text(f"_base_ = '{config}'\ntta_pipeline = [dict(type='TestTimeAugg')]\n")
    run = run_tool(
        *('tools/test.py', str(path), str(trained / 'epoch_2.pth'), '--tta'),
        *('--data-root', str(shapes_root), '--work-dir', str(tmp_path)),
        environment=environment,
    )
    assert run.returncode == 2
    assert "no type 'TestTimeAugg'; did you mean 'TestTimeAug'" in run.stderr.splitlines()[-1]
