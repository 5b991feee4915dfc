import logging
from pathlib import Path

import pytest
import torch

from mmdet.engine.checkpoint import checkpoint_to_resume, resume
from mmdet.errors import UserError


@pytest.fixture
def warnings(monkeypatch) -> list[str]:
    lines = []

    def note(message: str, logger: str, level: int) -> None:
        assert level == logging.WARNING
        lines.append(message)

    monkeypatch.setattr(resume, 'print_log', note)
    return lines


def save(path: Path, *, training: bool = True, optimizer: bool = True, **meta: object) -> Path:
    state = dict(message_hub={}, meta=dict(epoch=1, iter=3) | meta) if training else {}
    state |= dict(optimizer={}) if optimizer else {}
    torch.save(dict(state_dict={}, **state), path)
    return path


def note_latest(folder: Path, path: object) -> None:
    (folder / 'last_checkpoint').write_text(str(path))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def test_nothing_is_there(tmp_path):
    assert checkpoint_to_resume(str(tmp_path / 'none')) is None
    (tmp_path / '20261124_101500').mkdir()
    (tmp_path / 'config.py').write_text('a = 1')
    assert checkpoint_to_resume(str(tmp_path)) is None


def test_the_one_that_was_noted(tmp_path, warnings):
    save(tmp_path / 'epoch_9.pth')
    noted = save(tmp_path / 'epoch_10.pth')
    save(tmp_path / 'epoch_11.pth')
    note_latest(tmp_path, noted)
    assert checkpoint_to_resume(str(tmp_path)) == str(noted)
    note_latest(tmp_path, '/before/it/was/moved/epoch_10.pth')
    assert checkpoint_to_resume(str(tmp_path)) == str(noted)
    assert warnings == []


def test_the_last_that_is_whole(tmp_path, warnings):
    for epoch in (2, 9, 10, 11):
        save(tmp_path / f'epoch_{epoch}.pth')
    assert checkpoint_to_resume(str(tmp_path)) == str(tmp_path / 'epoch_11.pth')
    note_latest(tmp_path, tmp_path / 'epoch_12.pth')
    assert checkpoint_to_resume(str(tmp_path)) == str(tmp_path / 'epoch_11.pth')
    (warning,) = warnings
    assert warning == f'{tmp_path}/epoch_12.pth is gone: resuming from {tmp_path}/epoch_11.pth'
    cut(tmp_path / 'epoch_11.pth')
    note_latest(tmp_path, tmp_path / 'epoch_11.pth')
    assert checkpoint_to_resume(str(tmp_path)) == str(tmp_path / 'epoch_10.pth')
    assert 'epoch_11.pth is not a checkpoint' in warnings[-1]


@pytest.mark.parametrize('name', ['epoch_3.pth', 'best_coco_segm_mAP_epoch_3.pth'])
def test_what_is_there_is_never_begun_over(tmp_path, name):
    save(tmp_path / name, training=False)
    with pytest.raises(UserError, match=f'{name}.*another work directory to start anew'):
        checkpoint_to_resume(str(tmp_path))
    cut(tmp_path / name)
    with pytest.raises(UserError, match=name):
        checkpoint_to_resume(str(tmp_path))


def test_the_only_one_is_gone(tmp_path):
    note_latest(tmp_path, tmp_path / 'epoch_3.pth')
    with pytest.raises(UserError, match=r'epoch_3\.pth is gone'):
        checkpoint_to_resume(str(tmp_path))


def test_epochs_and_iterations_are_not_one_count(tmp_path):
    save(tmp_path / 'iter_500.pth', iter=500)
    save(tmp_path / 'epoch_3.pth', iter=3000)
    assert checkpoint_to_resume(str(tmp_path)) == str(tmp_path / 'epoch_3.pth')
    save(tmp_path / 'iter_3500.pth', iter=3500)
    assert checkpoint_to_resume(str(tmp_path)) == str(tmp_path / 'iter_3500.pth')


def test_what_an_earlier_training_left_is_not_gone_on_from(tmp_path):
    save(tmp_path / 'epoch_12.pth', iter=12_000, time='20260101_120000')
    save(tmp_path / 'epoch_2.pth', iter=2000, time='20260201_120000')
    cut(save(tmp_path / 'epoch_3.pth', iter=3000, time='20260201_130000'))
    note_latest(tmp_path, tmp_path / 'epoch_3.pth')
    assert checkpoint_to_resume(str(tmp_path)) == str(tmp_path / 'epoch_2.pth')


def test_the_best_is_the_last_resort(tmp_path, warnings):
    best = save(tmp_path / 'best_coco_segm_mAP_epoch_3.pth', iter=30, optimizer=False)
    regular = save(tmp_path / 'epoch_2.pth', iter=20)
    assert checkpoint_to_resume(str(tmp_path)) == str(regular)
    assert not warnings
    cut(regular)
    assert checkpoint_to_resume(str(tmp_path)) == str(best)
    assert warnings == [
        f'{regular} is not a checkpoint: it is cut off: resuming from {best}',
        f'{best.name} is without the state of an optimizer: resuming from {best}',
    ]


def test_names_of_the_users_own(tmp_path):
    save(tmp_path / 'pretrained_9.pth', iter=9000)  # of something else
    save(tmp_path / 'solo-7-of-9.pth', iter=70)
    cut(save(tmp_path / 'solo-8-of-9.pth', iter=80))
    note_latest(tmp_path, tmp_path / 'solo-8-of-9.pth')
    assert checkpoint_to_resume(str(tmp_path)) == str(tmp_path / 'solo-7-of-9.pth')


@pytest.mark.parametrize('content', ['', '\0' * 20, ' \n'])
def test_a_note_that_was_cut_off(tmp_path, content):
    saved = save(tmp_path / 'epoch_1.pth')
    note_latest(tmp_path, content)
    assert checkpoint_to_resume(str(tmp_path)) == str(saved)


def test_a_copied_folder_goes_on_from_its_own(tmp_path):
    for name in ('a', 'b'):
        (tmp_path / name).mkdir()
        save(tmp_path / name / 'epoch_1.pth')
        note_latest(tmp_path / name, tmp_path / 'a/epoch_1.pth')
    assert checkpoint_to_resume(str(tmp_path / 'b')) == str(tmp_path / 'b/epoch_1.pth')


def test_another_folder_for_the_checkpoints(tmp_path):
    work_dir, out = tmp_path / 'w', tmp_path / 'out'
    work_dir.mkdir(), out.mkdir()
    save(out / 'epoch_1.pth')
    cut(save(out / 'epoch_2.pth'))
    note_latest(work_dir, out / 'epoch_2.pth')
    assert checkpoint_to_resume(str(work_dir)) == str(out / 'epoch_1.pth')
