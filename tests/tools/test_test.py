import json
import os
import pickle

import cv2
import pytest
import torch
from mmengine.config import Config

from mmdet.cli import eval_metric
from mmdet.cli.test import main
from mmdet.errors import UserError
from mmdet.evaluation.coco_metric import FIGURES
from tests.conftest import REPO
from tests.processes import run_tool, torchrun

_HOOK = 'default_hooks.visualization'


@pytest.fixture(scope='module')
def tested(trained, config, shapes_root, environment, tmp_path_factory):
    """The output and the work directory of a test with everything asked for."""
    work_dir = tmp_path_factory.mktemp('tested')
    run = run_tool(
        *('tools/test.py', config, str(trained / 'epoch_2.pth'), '--work-dir', str(work_dir)),
        *('--data-root', str(shapes_root), '--out', str(work_dir / 'results.json')),
        *('--show-dir', str(work_dir / 'vis'), '--show-limit', '4', '--report'),
        environment=environment,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout + run.stderr, work_dir


def test_figures_and_table(tested):
    printed, work_dir = tested
    metrics = json.loads((work_dir / 'metrics.json').read_text())
    for name in FIGURES:
        assert f'segm_{name}' in printed
        assert -1 <= metrics[f'coco/segm_{name}'] <= 1
    for name in ('ellipse', 'crescent'):
        assert name in printed
        assert f'coco/segm_mAP_{name}' in metrics


def test_pictures(tested):
    printed, work_dir = tested
    assert f'detections: {work_dir}/results.json\npictures: {work_dir}/vis\n' in printed
    pictures = sorted((work_dir / 'vis').iterdir())
    assert len(pictures) == 4
    assert all(cv2.imread(str(picture)) is not None for picture in pictures)


def test_the_report(tested, trained):
    printed, work_dir = tested
    assert f'report: {trained}/report.html\n' in printed
    figures = json.loads((trained / 'report.json').read_text())
    metrics = json.loads((work_dir / 'metrics.json').read_text())
    assert figures['figures'] == {
        f'coco/segm_{name}': metrics[f'coco/segm_{name}'] for name in FIGURES
    }
    for each in figures['by_class']:
        ap = metrics[f'coco/segm_mAP_{each["name"]}']
        assert (-1 if each['ap'] is None else each['ap']) == pytest.approx(ap)
    assert figures['run']['checkpoint'] == str(trained / 'epoch_2.pth')
    assert figures['training']['losses']['loss']['ys']
    assert all(f'- {each["said"]}' in printed for each in figures['limits'])
    assert '<title>Results of epoch_2.pth</title>' in (trained / 'report.html').read_text()


def test_two_processes_find_what_one_does(tested, trained, config, shapes_root, environment):
    """Seven images: one process gets an image twice, which must not count twice."""
    work_dir = tested[1]
    run = torchrun(
        *('tools/test.py', config, str(trained / 'epoch_2.pth')),
        *('--work-dir', str(work_dir / 'two'), '--data-root', str(shapes_root)),
        *('--out', str(work_dir / 'two.pkl')),
        *('--show-dir', os.path.relpath(work_dir / 'two_vis', REPO)),  # as --out: from here
        *('--report', str(work_dir / 'two_report.html')),
        environment=environment,
    )
    assert run.returncode == 0, run.stderr

    found = sorted(
        (d['image_id'], d['category_id'], d['segmentation']['counts'], round(d['score'], 4))
        for d in json.loads((work_dir / 'results.json').read_text())
    )
    samples = pickle.loads((work_dir / 'two.pkl').read_bytes())
    again = sorted(
        (sample['img_id'], int(label) + 1, rle['counts'].decode(), round(float(score), 4))
        for sample in samples
        for label, rle, score in zip(
            *(sample['pred_instances'][key] for key in ('labels', 'masks', 'scores')), strict=True
        )
    )
    assert len(samples) == 7 and len(found) > 20
    assert again == found
    one = json.loads((work_dir / 'metrics.json').read_text())
    assert json.loads((work_dir / 'two' / 'metrics.json').read_text()) == pytest.approx(one)
    reports = [
        json.loads(path.read_text())
        for path in (work_dir / 'two_report.json', trained / 'report.json')
    ]
    assert reports[0]['data'] == reports[1]['data']
    assert len(list((work_dir / 'two_vis').iterdir())) == 7  # each process draws its own


def test_a_resumed_runs_config_tests_bare_weights(
    trained, config, shapes_root, environment, tmp_path
):
    """It says resume=True, and names what it was resumed from; evaluators may come in a list."""
    weights = torch.load(trained / 'epoch_1.pth', weights_only=True)['state_dict']
    torch.save(dict(state_dict=weights), tmp_path / 'weights.pth')
    resumed = tmp_path / 'resumed.py'
    resumed.write_text(
        f"_base_ = '{config}'\nresume = True\nload_from = 'gone.pth'\n"
        f"work_dir = '{tmp_path}/w'\n"
        "evaluator = dict(type='CocoMetric', ann_file=_base_.test_evaluator.ann_file)\n"
        "test_evaluator = [dict(evaluator, prefix=name) for name in ('a', 'b')]\n"
    )
    run = run_tool(
        *('tools/test.py', str(resumed), str(tmp_path / 'weights.pth')),
        *('--data-root', str(shapes_root), '--out', str(tmp_path / 'out.json')),
        environment=environment,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads((tmp_path / 'out.json').read_text())
    metrics = json.loads((tmp_path / 'w/metrics.json').read_text())
    assert {'a/segm_mAP_ellipse', 'b/segm_mAP_ellipse'} <= set(metrics)


@pytest.mark.parametrize(
    ('checkpoint', 'options', 'complaint'),
    [
        ('none.pth', [], 'none.pth does not exist'),
        ('tiny_shapes.py', [], 'tiny_shapes.py is not a checkpoint'),
        (
            'epoch_1.pth',
            ['--cfg-options', 'model.mask_head.stacked_convs=2'],
            'mask_head.cls_convs.1.conv.weight',
        ),
        ('epoch_1.pth', ['--out', 'results.txt'], 'name a .json file, or a .pkl'),
        (
            'epoch_1.pth',
            ['--out', 'x.json', '--cfg-options', 'test_evaluator=[]'],
            '--out needs a CocoMetric',
        ),
    ],
)
def test_mistakes(trained, config, shapes_root, environment, checkpoint, options, complaint):
    run = run_tool(
        *('tools/test.py', config, str(trained / checkpoint), '--data-root', str(shapes_root)),
        *('--work-dir', str(trained / 'mistakes'), *options),
        environment=environment,
    )
    assert run.returncode == 2
    last = run.stderr.splitlines()[-1]
    assert last.startswith('error: ') and complaint in last
    assert 'Traceback' not in run.stderr


def test_show_needs_a_window(trained, config, shapes_root, environment):
    run = run_tool(
        *('tools/test.py', config, str(trained / 'epoch_1.pth'), '--data-root', str(shapes_root)),
        *('--work-dir', str(trained / 'shown'), '--show'),
        environment={**environment, 'MPLBACKEND': 'agg'},
    )
    assert run.returncode == 2
    assert 'cannot open a window' in run.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        (['--show', '--wait-time', '0.5'], dict(show=True, wait_time=0.5, test_out_dir=None)),
        (['--show-dir', '/x', '--show-limit', '3'], dict(test_out_dir='/x', test_limit=3)),
        (
            ['--show-dir', '/x', '--cfg-options', f'{_HOOK}.type=mmdet.DetVisualizationHook'],
            dict(test_out_dir='/x'),
        ),
    ],
)
def test_what_is_drawn(config, shapes_root, tmp_path, monkeypatch, options, expected):
    """The config's hook keeps its other settings."""

    def stop(cfg: Config) -> None:
        raise StopIteration(cfg.default_hooks.visualization.to_dict())

    monkeypatch.setattr('mmdet.cli.test.build_runner', stop)
    monkeypatch.setattr('mmdet.cli.test.check_files', lambda *_, **__: None)
    places = ['--data-root', str(shapes_root), '--work-dir', str(tmp_path)]
    setting = f'{_HOOK}.score_thr=0.7'
    with pytest.raises(StopIteration) as stopped:
        main([config, 'x.pth', *places, *options, '--cfg-options', setting])
    hook = stopped.value.value
    assert dict(expected, draw=True, score_thr=0.7).items() <= hook.items()


def test_eval_metric_has_the_figures_of_the_test_that_wrote_the_file(tested, config, shapes_root):
    work_dir = tested[1]
    results = str(work_dir / 'results.json')
    figures = eval_metric.main([config, results, '--data-root', str(shapes_root)])
    assert figures == json.loads((work_dir / 'metrics.json').read_text())


def test_a_report_writes_over_nothing(trained, config, shapes_root, tmp_path):
    arguments = [config, str(trained / 'epoch_2.pth'), '--data-root', str(shapes_root)]
    for name in ('mine.html', 'mine.json'):
        (tmp_path / name).write_text('mine')
        with pytest.raises(UserError, match=f'{name} exists, and was not made by this command'):
            main([*arguments, '--report', str(tmp_path / 'mine.html')])
        assert (tmp_path / name).read_text() == 'mine'
        (tmp_path / name).unlink()
    same = ['--report', str(tmp_path / 'a.html'), '--out', str(tmp_path / 'a.json')]
    with pytest.raises(UserError, match=r'--out and the figures of --report are both .*a\.json'):
        main([*arguments, *same])
    metrics = ['--work-dir', str(tmp_path), '--report', str(tmp_path / 'metrics.html')]
    with pytest.raises(UserError, match=r'metrics\.json is where the test writes its metrics'):
        main([*arguments, *metrics])


def test_a_report_is_of_a_metric_that_has_figures(config, shapes_root, tmp_path, monkeypatch):
    """One with format_only writes what was found, and keeps nothing."""

    def stop(cfg: Config) -> None:
        raise StopIteration(cfg.test_evaluator)

    monkeypatch.setattr('mmdet.cli.test.build_runner', stop)
    monkeypatch.setattr('mmdet.cli.test.check_files', lambda *_, **__: None)
    places = ['--data-root', str(shapes_root), '--work-dir', str(tmp_path)]
    writes = dict(type='CocoMetric', ann_file='a.json', format_only=True, outfile_prefix='x')

    def run(*metrics: dict) -> None:
        own = tmp_path / 'own.py'
        own.write_text(f'_base_ = {config!r}\ntest_evaluator = {[*metrics]}\n')
        main([str(own), str(tmp_path / 'x.pth'), *places, '--report'])

    with pytest.raises(StopIteration) as stopped:
        run(writes, dict(type='CocoMetric', ann_file='a.json'))
    assert [each.get('keep_results') for each in stopped.value.value] == [None, True]
    with pytest.raises(UserError, match='--report needs a CocoMetric without format_only'):
        run(writes)


def test_where_report_stands_in_the_line(config, capsys):
    with pytest.raises(SystemExit):
        main(['--report', config, 'epoch_2.pth'])
    assert 'is no name ending in .html; name the file, or write --report at' in (
        capsys.readouterr().err
    )
