import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mmdet.engine.checkpoint import read_checkpoint
from tests.conftest import REPO

TOOL = str(REPO / 'tools' / 'model_converters' / 'convert_checkpoint.py')
WEIGHT = torch.arange(6.0).view(2, 3)
THEIRS = {
    'backbone.conv1.weight': WEIGHT.T,  # not contiguous
    'bbox_head.solo_cate.weight': WEIGHT,
    'bbox_head.solo_kernel.weight': WEIGHT,  # and one memory twice
}
OURS = {
    'backbone.conv1.weight': WEIGHT.T,
    'mask_head.conv_cls.weight': WEIGHT,
    'mask_head.conv_kernel.weight': WEIGHT,
}


class Foreign:
    """What `--trust` is for: an object of the user's own code."""


@pytest.fixture
def convert(monkeypatch) -> Callable:
    """Run the tool in this process."""

    def run(*arguments: object) -> None:
        monkeypatch.setattr(sys, 'argv', [TOOL, *map(str, arguments)])
        runpy.run_path(TOOL, run_name='__main__')

    return run


def assert_refused(convert: Callable, capsys: pytest.CaptureFixture, *arguments: object) -> str:
    with pytest.raises(SystemExit) as end:
        convert(*arguments)
    assert end.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith('error: ')
    return last


def assert_ours(weights: dict[str, torch.Tensor]) -> None:
    assert weights.keys() == OURS.keys()
    assert all(torch.equal(weights[name], value) for name, value in OURS.items())


def test_weights_alone_are_left(tmp_path, convert):
    training = dict(state_dict=THEIRS, optimizer=dict(lr=1.0), meta=dict(config='exit()'))
    torch.save(training, tmp_path / 'in.pth')
    convert(tmp_path / 'in.pth', tmp_path / 'out.pth')
    written = torch.load(tmp_path / 'out.pth', weights_only=True)
    assert written.keys() == {'state_dict', 'meta'} and written['meta'] == {}
    assert_ours(written['state_dict'])


def test_to_safetensors_and_back(tmp_path, convert):
    torch.save(dict(state_dict=THEIRS), tmp_path / 'in.pth')
    convert(tmp_path / 'in.pth', tmp_path / 'out.safetensors')
    assert_ours(load_file(tmp_path / 'out.safetensors'))
    convert(tmp_path / 'out.safetensors', tmp_path / 'out.pth')
    assert_ours(read_checkpoint(str(tmp_path / 'out.pth'), map_location='cpu')['state_dict'])
    assert {path.name for path in tmp_path.iterdir()} == {'in.pth', 'out.safetensors', 'out.pth'}


def test_code_runs_only_where_it_is_trusted(tmp_path, convert, capsys):
    torch.save(dict(state_dict=THEIRS, meta=dict(author=Foreign())), tmp_path / 'in.pth')
    refusal = assert_refused(convert, capsys, tmp_path / 'in.pth', tmp_path / 'out.pth')
    assert 'Foreign' in refusal and '--trust' in refusal
    assert not (tmp_path / 'out.pth').exists()
    convert(tmp_path / 'in.pth', tmp_path / 'out.pth', '--trust')
    assert_ours(torch.load(tmp_path / 'out.pth', weights_only=True)['state_dict'])


def test_an_unknown_layout(tmp_path, convert, capsys):
    weights = dict.fromkeys(['backbone.a', 'rpn.a', 'rpn.b', 'roi.a', 'roi.b'], WEIGHT)
    torch.save(weights, tmp_path / 'in.pth')
    refusal = assert_refused(convert, capsys, tmp_path / 'in.pth', tmp_path / 'out.pth')
    assert '4 of 5' in refusal and 'rpn.a, rpn.b, roi.a, ...' in refusal
    assert 'original SOLO repository' in refusal and 'AdelaiDet' in refusal


def test_a_failure_leaves_the_old_file(tmp_path, convert, monkeypatch):
    def full_disk(path: Path, _: bytes) -> None:
        path.write_text('half')
        raise OSError('no space left on device')

    torch.save(dict(state_dict=THEIRS), tmp_path / 'in.pth')
    (tmp_path / 'out.pth').write_bytes(b'old')
    monkeypatch.setattr(Path, 'write_bytes', full_disk)
    with pytest.raises(OSError, match='no space'):
        convert(tmp_path / 'in.pth', tmp_path / 'out.pth')
    assert (tmp_path / 'out.pth').read_bytes() == b'old'
    assert {path.name for path in tmp_path.iterdir()} == {'in.pth', 'out.pth'}


def test_a_folder_that_does_not_exist(tmp_path, convert, capsys):
    torch.save(dict(state_dict=THEIRS), tmp_path / 'in.pth')
    assert 'does not exist' in assert_refused(
        convert, capsys, tmp_path / 'in.pth', tmp_path / 'none' / 'out.pth'
    )
