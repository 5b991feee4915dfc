import zipfile
from pathlib import Path

import pytest
import torch

from mmdet.engine.checkpoint import read_checkpoint
from mmdet.errors import UserError


class Bomb:
    """Runs code when it is unpickled without `weights_only`."""

    def __reduce__(self):
        return exec, ("raise SystemExit('a checkpoint ran code')",)


def load(path: Path) -> dict:
    return read_checkpoint(str(path), map_location='cpu')


def test_the_config_in_a_checkpoint_is_dropped(tmp_path):
    torch.save(dict(meta=dict(config='exit()', epoch=3), state_dict={}), tmp_path / 'a.pth')
    assert load(tmp_path / 'a.pth')['meta'] == dict(epoch=3)


def test_a_checkpoint_that_wants_to_run_code_is_refused(tmp_path):
    torch.save(dict(state_dict={}, message_hub=Bomb()), tmp_path / 'bad.pth')
    with pytest.raises(UserError, match=r'bad\.pth cannot be loaded without running code'):
        load(tmp_path / 'bad.pth')


def test_files_that_are_no_checkpoints(tmp_path):
    with pytest.raises(UserError, match='does not exist'):
        load(tmp_path / 'none.pth')
    (tmp_path / 'text.pth').write_text('hello')
    with pytest.raises(UserError, match='is not a checkpoint'):
        load(tmp_path / 'text.pth')
    (tmp_path / 'empty.pth').write_bytes(b'')
    with pytest.raises(UserError, match='is not a checkpoint'):
        load(tmp_path / 'empty.pth')
    with zipfile.ZipFile(tmp_path / 'other.pth', 'w') as archive:
        archive.writestr('a/readme', 'hello')
    with pytest.raises(UserError, match=r'other\.pth is not a checkpoint, or is cut off: Runtime'):
        load(tmp_path / 'other.pth')
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(UserError, match='it holds a list'):
        load(tmp_path / 'list.pth')
    torch.save(dict(state_dict=dict(a=torch.zeros(1000))), tmp_path / 'whole.pth')
    whole = (tmp_path / 'whole.pth').read_bytes()
    (tmp_path / 'half.pth').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match='is not a checkpoint'):
        load(tmp_path / 'half.pth')
