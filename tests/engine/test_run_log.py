"""What a training logged: where it is found, which parts belong together, and what it is not."""

import json
from pathlib import Path

import pytest

from mmdet.engine.run_log import RunLog, Series, read_log
from mmdet.errors import UserError


def step(iteration: int, *, epoch: int | None = None, **figures: float) -> dict:
    counted = {} if epoch is None else dict(epoch=epoch)
    return dict(loss=float(iteration), time=0.1, **figures, **counted, iter=iteration) | dict(
        step=iteration
    )


def validation(at: int, score: float) -> dict:
    return {'coco/segm_mAP': score, 'coco/segm_mAP_50': 2 * score, 'time': 9.0, 'step': at}


def write(path: Path, lines: list[dict], *, resumed: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{json.dumps(line)}\n' for line in lines))
    path.with_name('config.py').write_text(f'load_from = None\nresume = {resumed}\n')
    return path


def of_epochs(epochs: range, *, score: float) -> list[dict]:
    """Two logged steps and a validation of each."""
    return [
        line
        for epoch in epochs
        for line in (
            step(2 * epoch - 1, epoch=epoch),
            step(2 * epoch, epoch=epoch),
            validation(epoch, score * epoch),
        )
    ]


def test_a_training_over_epochs(tmp_path):
    path = write(tmp_path / 'scalars.json', of_epochs(range(1, 3), score=0.1))
    log = read_log(str(path))
    assert log.counts_epochs
    assert log.keys() == ['loss', 'time', 'coco/segm_mAP', 'coco/segm_mAP_50']
    assert log.series('loss') == Series('training', 'iteration', [1, 2, 3, 4], [1, 2, 3, 4])
    # A validation's time is another thing.
    assert log.series('time').ys == [0.1] * 4
    score = Series('validation', 'epoch', [1, 2], [0.1, 0.2])
    assert log.series('coco/segm_mAP') == log.series('segm_mAP') == score


@pytest.mark.parametrize(
    ('steps', 'iterations'),
    [
        ((0, 0, 1), [2, 3, 4]),  # epochs: the last iteration before is known
        ((2, 3, 5), [2, 3, 5]),  # iterations, as log_metric_by_epoch=False has them
    ],
)
def test_a_training_over_iterations(steps, iterations):
    lines = [
        *(step(1), step(2), validation(steps[0], 0.1), step(3), validation(steps[1], 0.2)),
        *(step(4), validation(steps[2], 0.3)),
    ]
    log = RunLog('a.json', lines)
    assert not log.counts_epochs
    expected = Series('validation', 'iteration', iterations, [0.1, 0.2, 0.3])
    assert log.series('coco/segm_mAP') == expected


def test_validations_within_an_epoch_stand_at_iterations():
    lines = [step(1, epoch=1), validation(1, 0.1), step(2, epoch=1), validation(1, 0.2)]
    series = RunLog('a.json', lines).series('coco/segm_mAP')
    assert series == Series('validation', 'iteration', [1, 2], [0.1, 0.2])


def test_of_a_work_directory_it_is_the_newest_training_with_all_it_was_resumed_from(tmp_path):
    scalars = 'vis_data/scalars.json'
    write(tmp_path / '20260101_000000' / scalars, of_epochs(range(1, 9), score=0.9))
    write(tmp_path / '20260102_000000' / scalars, of_epochs(range(1, 4), score=0.1))
    # From the checkpoint of epoch 2: epoch 3 is trained again.
    write(tmp_path / '20260103_000000' / scalars, of_epochs(range(3, 5), score=0.2), resumed=True)
    newest = write(
        tmp_path / '20260104_000000' / scalars, of_epochs(range(5, 6), score=0.3), resumed=True
    )
    (tmp_path / '20260105_000000').mkdir()  # a test, which logs no lines
    log = read_log(str(tmp_path))
    assert log.series('loss').xs == list(range(1, 11))
    score = log.series('coco/segm_mAP')
    assert score.xs == [1, 2, 3, 4, 5]
    assert score.ys == pytest.approx([0.1, 0.2, 0.6, 0.8, 1.5])
    # One start alone, by its folder, that of its data, or its file
    for place in (newest, newest.parent, newest.parent.parent):
        assert read_log(str(place)).series('loss').xs == [9, 10]


def test_what_began_anew_does_not_go_on_from_what_was_logged_more_often(tmp_path):
    scalars = 'vis_data/scalars.json'
    write(tmp_path / '1' / scalars, [step(1), step(2), step(3)])
    write(tmp_path / '2' / scalars, [step(2), step(4)])
    assert read_log(str(tmp_path)).series('loss').xs == [2, 4]


def test_a_validation_that_was_done_again_counts_once(tmp_path):
    scalars = 'vis_data/scalars.json'
    before = [step(1, epoch=1), validation(1, 0.1), step(5, epoch=2), validation(2, 0.2)]
    write(tmp_path / '1' / scalars, before)
    # Stopped before its last logged step: what comes first is a validation.
    write(tmp_path / '2' / scalars, [validation(2, 0.3), step(7, epoch=3)], resumed=True)
    log = read_log(str(tmp_path))
    assert log.series('coco/segm_mAP').ys == [0.1, 0.3]
    assert log.series('loss').xs == [1, 5, 7]


EXPECTED = '; expected is vis_data/scalars.json of a training, or its work directory'
LINE = json.dumps(step(1)) + '\n'


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (b'', ' is empty' + EXPECTED),
        (b'\x80\x02\x8a\nlF\xf9', ' is no log of a training, as line 1 shows' + EXPECTED),
        (b'{\n "coco/segm_mAP": 0.1\n}\n', ' is no log of a training, as line 1 shows' + EXPECTED),
        (b'{"images": []}', ' is no log of a training, as line 1 shows' + EXPECTED),
        (b'{"step": "a"}\n', ' is no log of a training, as line 1 shows' + EXPECTED),
        (LINE.encode() + b'2026/01/01 - mmengine - INFO\n', ' is no log of a training, as line 2'),
        (
            LINE.encode()[:-9] + LINE.encode(),
            ' is no log of a training, as line 1 shows' + EXPECTED,
        ),
        (LINE.encode()[:-9], ' is cut off in line 1: copy it anew, or delete that line'),
        ((2 * LINE).encode()[:-2], ' is cut off in line 2: copy it anew, or delete that line'),
    ],
)
def test_what_is_no_log(tmp_path, content, said):
    path = tmp_path / 'a.json'
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_log(str(path))
    assert str(error.value).startswith(f'{path}{said}')


def test_no_log(tmp_path):
    with pytest.raises(UserError, match='no such log: none; expected is vis_data/scalars'):
        read_log('none')
    with pytest.raises(UserError, match='holds no log of a training; expected is vis_data/scalars'):
        read_log(str(tmp_path))


def test_a_key_that_is_not_there():
    log = RunLog('a.json', [step(1, epoch=1), validation(1, 0.1), {'lvis/segm_mAP': 1, 'step': 1}])

    def said(key: str) -> str:
        with pytest.raises(UserError) as error:
            log.series(key)
        return str(error.value)

    names = 'loss, time, coco/segm_mAP, coco/segm_mAP_50, lvis/segm_mAP'
    assert said('bbox') == f'--keys bbox: a.json has no such key; it has {names}'
    assert said('los').endswith(f"no such key; did you mean 'loss'? It has {names}")
    assert said('segm_mAP') == (
        '--keys segm_mAP: a.json has coco/segm_mAP and lvis/segm_mAP: name one'
    )
    for place in ('step', 'iter', 'epoch'):
        assert 'no such key' in said(place)
