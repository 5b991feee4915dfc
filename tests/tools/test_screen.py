"""What a user sees, and what only the log file holds."""

import re
from pathlib import Path

import pytest

from tests.processes import torchrun


@pytest.fixture
def screen(trained) -> list[str]:
    return (trained / 'stdout').read_text().splitlines()


@pytest.fixture
def log_file(trained) -> Path:
    (path,) = trained.glob('*/*.log')
    return path


def test_it_begins_with_what_is_trained_on_what_and_where_it_goes(
    screen, trained, config, shapes_root, log_file
):
    first_step = next(i for i, line in enumerate(screen) if 'Epoch(train) [1][1/3]' in line)
    assert first_step < 12
    told = dict(re.split(r'\s{2,}', line.strip(), maxsplit=1) for line in screen[1:first_step])
    assert told['config'] == config
    assert re.fullmatch(r'SOLO: ResNet 18, FPN, SOLOHead; [\d,]{7} parameters', told['model'])
    for part, images in dict(train=12, val=7).items():
        title = dict(train='training', val='validation')[part]
        source = f'{shapes_root}/annotations/instances_{part}2017.json'
        assert told[title] == f'{images} images, 8 classes: {source}'
    assert told['schedule'] == '2 epochs of 3 steps with 4 images each; AdamW, learning rate 0.002'
    assert told['goes to'] == str(trained)
    assert told['log'] == str(log_file)
    assert {'config', 'device'} < told.keys() and 'starts from' not in told


def test_then_come_progress_and_tables_alone(screen):
    text = '\n'.join(screen)
    steps = [line for line in screen if 'Epoch(train)' in line]
    assert len(steps) == 6 and all('eta: ' in line and 'loss: ' in line for line in steps)
    assert text.count('| segm_mAP ') == 2
    assert len(screen) < 60
    for hidden in (
        'System environment',
        'Hooks will be',
        'backbone=dict',
        'Exp name',
        'FileClient',
    ):
        assert hidden not in text
    assert 'coco/segm_mAP:' not in text


def test_all_is_in_the_log_file(log_file):
    text = log_file.read_text()
    for part in ('System environment', 'Hooks will be', 'backbone=dict', 'coco/segm_mAP:', 'loss:'):
        assert part in text


def test_of_two_processes_one_speaks_and_none_warns(config, shapes_root, environment, tmp_path):
    run = torchrun(
        *('tools/train.py', config, '--work-dir', str(tmp_path), '--data-root', str(shapes_root)),
        *('--cfg-options', 'train_cfg.max_epochs=1', 'train_dataloader.batch_size=2'),
        environment=environment,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count('Epoch(train) [1][1/3]') == 1
    assert '3 steps with 4 images each' in run.stdout
    assert 'in each of 2 processes' in run.stdout
    assert 'MKL_NUM_THREADS' not in run.stderr
    assert 'is deprecated' not in run.stdout + run.stderr
