"""A checkpoint that is cut off, empty, or has a flipped bit: noticed, and the one before taken."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mmdet.engine.checkpoint import read_checkpoint
from mmdet.errors import UserError
from tests.faults.small_training import build, start


@pytest.fixture(scope='module')
def trained(tmp_path_factory) -> Path:
    """A work directory with three checkpoints."""
    folder = tmp_path_factory.mktemp('trained') / 'w'
    build('ours', folder, max_keep_ckpts=-1).train()
    return folder


@pytest.fixture
def folder(trained, tmp_path) -> Path:
    copy = shutil.copytree(trained, tmp_path / 'w')
    (copy / 'last_checkpoint').write_text(str(copy / 'epoch_3.pth'))
    return copy


def weights_offset(path: Path) -> int:
    """Return where in a file the optimizer's momentum and the weights are."""
    weight = torch.load(path, weights_only=False)['state_dict']['line.weight']
    offset = path.read_bytes().find(weight.numpy().tobytes())
    assert offset > 0
    return offset


def flip(path: Path, offset: int, bit: int = 6) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1 << bit
    path.write_bytes(content)


def flip_a_weight(path: Path) -> None:
    flip(path, weights_offset(path) + 3)


def empty(path: Path) -> None:
    path.write_bytes(b'')


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def zero_the_end(path: Path) -> None:
    """As some file systems leave what they had not written when the machine lost its power."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2].ljust(len(content), b'\0'))


DAMAGES = [flip_a_weight, empty, cut_off, zero_the_end]


@pytest.mark.parametrize('damage', DAMAGES)
def test_resuming_takes_the_one_before_and_says_so(folder, damage, tmp_path):
    damage(folder / 'epoch_3.pth')
    process = start(
        'ours',
        lambda: build('ours', folder, epochs=5, resume=True, log_level='WARNING').train(),
        output=tmp_path / 'output',
    )
    process.join(60)
    printed = (tmp_path / 'output').read_text()
    assert process.exitcode == 0, printed
    (line,) = [line for line in printed.splitlines() if 'resuming from' in line]
    assert f'{folder}/epoch_3.pth is ' in line
    assert line.endswith(f'resuming from {folder}/epoch_2.pth')
    saved = torch.load(folder / 'epoch_5.pth', weights_only=True)
    assert saved['meta']['iter'] == 10


@pytest.mark.parametrize('damage', DAMAGES)
def test_mmengine_loads_it_or_ends(folder, damage, tmp_path):
    damage(folder / 'epoch_3.pth')
    process = start(
        'mmengine',
        lambda: build('mmengine', folder, epochs=5, resume=True).train(),
        output=tmp_path / 'output',
    )
    process.join(60)
    printed = (tmp_path / 'output').read_text()
    if damage is flip_a_weight:
        assert process.exitcode == 0, printed  # it trains on with a weight that was never learned
        assert (folder / 'epoch_5.pth').exists()
    else:
        assert process.exitcode == 1


def notes(folder: Path) -> dict[str, Callable[[], object]]:
    note = folder / 'last_checkpoint'
    return dict(
        dangling=lambda: note.write_text(str(folder / 'epoch_4.pth')),
        empty=lambda: note.write_text(''),
        missing=note.unlink,
        moved=lambda: note.write_text('/before/epoch_3.pth'),
    )


@pytest.mark.parametrize('change', ['dangling', 'empty', 'missing', 'moved'])
@pytest.mark.parametrize('kind', ['ours', 'mmengine'])
def test_a_note_that_leads_nowhere(folder, tmp_path, change, kind):
    notes(folder)[change]()
    before = (folder / 'epoch_1.pth').stat().st_mtime_ns
    process = start(
        kind,
        lambda: build(kind, folder, epochs=4, resume=True, max_keep_ckpts=-1).train(),
        output=tmp_path / 'output',
    )
    process.join(60)
    began_anew = (folder / 'epoch_1.pth').stat().st_mtime_ns > before
    if kind == 'ours':
        assert process.exitcode == 0 and not began_anew
        assert torch.load(folder / 'epoch_4.pth', weights_only=True)['meta']['iter'] == 8
    else:
        assert (process.exitcode, began_anew) == ((0, True) if change == 'missing' else (1, False))


def test_no_flipped_bit_goes_unnoticed(folder):
    """Each is refused, or is where it changes nothing: in the padding, or a date."""
    path = folder / 'epoch_3.pth'
    whole = path.read_bytes()
    expected = repr(torch.load(path, weights_only=True))
    random.seed(0)
    refused, silent_in_torch = 0, 0
    for _ in range(400):
        flip(path, random.randrange(len(whole)), random.randrange(8))
        try:
            assert repr(read_checkpoint(str(path), map_location='cpu')) is not None
            assert repr(torch.load(path, weights_only=True)) == expected
        except UserError:
            refused += 1
            try:
                torch.load(path, weights_only=True)
                silent_in_torch += 1
            except Exception:
                pass
        path.write_bytes(whole)
    assert refused > 100
    assert silent_in_torch > 50  # the checksums are what notices


def test_a_file_cut_off_anywhere(folder):
    path = folder / 'epoch_3.pth'
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, len(whole) // 37):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r'^[^\n]*epoch_3\.pth is [^\n]*$'):
            read_checkpoint(str(path), map_location='cpu')
