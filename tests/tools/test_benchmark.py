"""Measuring a step: the step is the training's own, and what is said of it is so."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

import mmdet.models.heads.base_solo_head as decoding
import mmdet.models.postprocess as instances
from mmdet.cli import train
from mmdet.cli.benchmark import main
from mmdet.engine.config import load_config
from mmdet.engine.launch import build_runner
from mmdet.errors import UserError
from mmdet.models.detectors import SOLO
from mmdet.registry import HOOKS
from tests.processes import torchrun

NETWORK = {'to the device, padding', 'backbone', 'neck', 'step, the rest', 'loop and hooks'}
HEAD = {'head: categories', 'head: mask features', 'head: masks of cells'}
SHORT = ('--max-iter', '1', '--num-warmup', '1')


@pytest.fixture
def settings(config, tmp_path) -> Callable[[str], str]:
    """Write a config that changes the small training by some lines."""

    def write(lines: str) -> str:
        path = tmp_path / 'variant.py'
        path.write_text(f"_base_ = '{config}'\n{lines}\n")
        return str(path)

    return write


@pytest.fixture
def measure(settings, shapes_root) -> Callable[..., dict]:
    """Run the command on the small training, changed by some lines."""

    def run(*arguments: str, lines: str = '') -> dict:
        return main([settings(lines), '--data-root', str(shapes_root), *arguments])

    return run


@HOOKS.register_module()
class NoteWeights(Hook):
    """Keeps the weights after each step."""

    priority = 'VERY_LOW'
    noted: list[torch.Tensor] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        parameters = [each.detach().flatten() for each in runner.model.parameters()]
        self.noted.append(torch.cat(parameters))


@pytest.fixture
def noted() -> Iterator[list[torch.Tensor]]:
    NoteWeights.noted.clear()
    yield NoteWeights.noted
    NoteWeights.noted.clear()


def test_the_step_is_the_trainings_own(measure, settings, shapes_root, noted, tmp_path):
    lines = "custom_hooks = [dict(type='NoteWeights')]"
    report = measure('--max-iter', '2', '--num-warmup', '1', lines=lines)
    measured = list(noted)
    assert len(measured) == 1 + 2 + 1  # the last one counts what waits
    assert report['steps'] == 2 and report['steps_left_out'] == 0
    noted.clear()
    options = ['--data-root', str(shapes_root), '--work-dir', str(tmp_path / 'trained')]
    build_runner(load_config(train.parse_args([settings(lines), *options]))).train()
    assert len(noted) == 6
    for own, trained in zip(measured, noted, strict=False):
        assert torch.equal(own, trained)
    assert not torch.equal(noted[0], noted[1])


def test_the_parts_of_a_training_step(measure, tmp_path, monkeypatch):
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    report = measure(*SHORT)
    own = {'data', 'targets', 'losses', 'backward', 'optimizer'}
    assert report['parts'].keys() == own | NETWORK | HEAD
    assert min(report['parts'].values()) > 0
    # Of one step there are no medians between.
    assert sum(report['parts'].values()) == pytest.approx(report['seconds'])
    assert report['images_a_second'] == pytest.approx(4 / report['seconds'])
    assert report['images'] == 4 and report['instances'] > 0
    assert report['size'][0] % 32 == report['size'][1] % 32 == 0
    assert report['peak_memory'] > 10**8
    assert report['machine']['torch'] == torch.__version__
    assert not list(Path.cwd().iterdir())


def test_the_parts_of_a_test_step(measure):
    functions = decoding.decode, instances.matrix_nms, instances.masks_to_rle
    lines = 'model = dict(test_cfg=dict(score_thr=0.1))'
    report = measure('--mode', 'eval', '--candidates', '30', *SHORT, lines=lines)
    own = {'data', 'decoding', 'Matrix NMS', 'encoding', 'matching'}
    assert report['parts'].keys() == own | NETWORK | HEAD
    assert min(report['parts'].values()) > 0
    assert sum(report['parts'].values()) == pytest.approx(report['seconds'])
    assert report['figures'] > 0 and report['matched_images'] == 3
    assert 0 < report['instances'] <= 10 and report['candidates'] == 30
    assert functions == (decoding.decode, instances.matrix_nms, instances.masks_to_rle)
    assert 'figures' not in measure('--task', 'inference', *SHORT)


def test_the_parts_of_the_data(measure):
    report = measure('--mode', 'data', '--max-iter', '4', '--num-warmup', '1')
    transforms = {'LoadImageFromFile', 'LoadAnnotations', 'PackDetInputs'}
    assert report['parts'].keys() == transforms | {'data set, the rest'}
    assert min(report['parts'].values()) > 0
    assert sum(report['parts'].values()) == pytest.approx(report['seconds'])
    assert report['images'] == 4 and report['workers'] == 0 and report['images_a_second'] > 0


def test_a_compiled_step(measure, capsys):
    lines = """
compile = dict(backend='eager')
model = dict(backbone=dict(num_stages=2, out_indices=(0, 1)), neck=dict(in_channels=[8, 16]))
"""
    report = measure(*SHORT, lines=lines)
    assert report['compiled'] == dict(backend='eager')
    assert report['parts'].keys() >= {'backbone and neck', 'losses', 'backward', *HEAD}
    assert not report['parts'].keys() & {'backbone', 'neck'}
    assert sum(report['parts'].values()) == pytest.approx(report['seconds'])
    assert "backbone and neck, {'backend': 'eager'}" in capsys.readouterr().out


def test_one_wait_more_is_counted_where_it_is(measure, monkeypatch):
    def waiting(self: SOLO, inputs: torch.Tensor) -> tuple:
        inputs.sum().item()
        return extract_feat(self, inputs)

    before = measure(*SHORT)['waits']
    extract_feat = SOLO.extract_feat
    monkeypatch.setattr(SOLO, 'extract_feat', waiting)
    after = measure(*SHORT)['waits']
    assert sum(after.values()) == sum(before.values()) + 1
    (place,) = after.keys() - before.keys()
    assert place.startswith('tests/tools/test_benchmark.py:')
    # That a step is sound is read once.
    assert sum(number for place, number in before.items() if 'sound_steps.py' in place) == 1


def test_what_others_do_takes_no_cpu_time(measure, monkeypatch):
    def sleeping(self: SOLO, inputs: torch.Tensor) -> tuple:
        time.sleep(0.3)
        return extract_feat(self, inputs)

    extract_feat = SOLO.extract_feat
    monkeypatch.setattr(SOLO, 'extract_feat', sleeping)
    wall, cpu = measure(*SHORT), measure(*SHORT, '--cpu-time')
    assert wall['parts']['step, the rest'] > 0.3 > cpu['parts']['step, the rest']
    assert (wall['clock'], cpu['clock']) == ('wall', 'cpu')


def test_a_step_that_is_not_taken_is_counted(measure, capsys):
    lines = 'param_scheduler = None; optim_wrapper = dict(clip_grad=None, optimizer=dict(lr=1e30))'
    report = measure('--max-iter', '2', '--num-warmup', '1', lines=lines)
    assert report['steps_left_out'] > 0
    assert f'{report["steps_left_out"]} were not taken' in capsys.readouterr().out


def test_what_is_written_is_what_is_printed(measure, tmp_path, capsys):
    report = measure(*SHORT, '--amp', '--json', f'{tmp_path}/new/report.json')
    assert json.loads((tmp_path / 'new/report.json').read_text()) == report
    assert report['mixed_precision'] == 'bfloat16'
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line[0] != ' '] == [
        *('config', 'machine', 'batch', 'weights', 'precision', 'step', 'memory', 'waits')
    ]
    for name in report['parts']:
        assert any(line.strip().startswith(name) for line in lines)


def test_weights_of_a_checkpoint(measure, trained):
    checkpoint = str(trained / 'epoch_2.pth')
    report = measure('--mode', 'test', '--checkpoint', checkpoint, *SHORT)
    assert report['weights'] == checkpoint


def test_pretrained_weights_are_not_fetched(measure):
    nowhere = (
        "dict(_delete_=True, type='Pretrained', checkpoint='https://example.invalid/resnet.pth')"
    )
    report = measure(*SHORT, lines=f'model = dict(backbone=dict(init_cfg={nowhere}))')
    assert report['weights'] == 'random'


@pytest.mark.parametrize(
    ('arguments', 'lines', 'complaint'),
    [
        (['--max-iter', '0'], '', 'at least 1'),
        (['--candidates', '5'], '', 'for --mode test and eval, not train'),
        (['--mode', 'data', '--amp'], '', 'runs no model'),
        (['--mode', 'data', '--cpu-time'], '', 'does not see the workers'),
        (['--num-warmup', '5'], '', 'there are 6 batches in all, too few for 5'),
        (['--checkpoint', 'none.pth'], '', 'none.pth'),
        ([], "compile = dict(backend='no-such')", 'Invalid backend'),
        (
            ['--mode', 'test'],
            'test_dataloader = test_cfg = test_evaluator = None',
            'has no test_dataloader, no test_cfg, no test_evaluator',
        ),
    ],
)
def test_what_it_refuses(measure, arguments, lines, complaint):
    with pytest.raises(UserError, match=complaint):
        measure(*arguments, lines=lines)


def test_two_processes(config, shapes_root, environment, tmp_path):
    run = torchrun(
        *('tools/analysis_tools/benchmark.py', config, '--data-root', str(shapes_root)),
        *('--max-iter', '1', '--num-warmup', '0', '--json', f'{tmp_path}/report.json'),
        environment=environment,
    )
    assert run.returncode == 0, run.stderr
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['machine']['processes'] == 2
    assert report['images_a_second'] == pytest.approx(2 * 4 / report['seconds'])
    assert run.stdout.count('config ') == 1
