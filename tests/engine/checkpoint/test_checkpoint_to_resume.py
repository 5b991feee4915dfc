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


def save(path: Path, *, training: bool = True) -> Path:
    state = dict(message_hub={}, meta=dict(epoch=1, iter=3)) if training else {}
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
