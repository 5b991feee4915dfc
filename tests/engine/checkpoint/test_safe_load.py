"""What a file may make the loader do: nothing."""

import builtins
import errno
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from safetensors.torch import save_file

from mmdet.engine.checkpoint import load_from_local
from mmdet.engine.checkpoint.safe_load import Placeholder, read_file, without_placeholders
from mmdet.errors import UserError


class Call:
    """Pickles as a call of `function` with `args`; `state` is handed to its result."""

    def __init__(self, function: Callable, *args: object, state: object = None) -> None:
        self.reduced = (function, args, state)

    def __reduce__(self):
        return self.reduced


BOMB = Call(exec, "raise SystemExit('a checkpoint ran code')")


def history_of(value: object) -> HistoryBuffer:
    history = HistoryBuffer([1.0], [1])
    history.extra = value
    return history


def hub(**scalars: object) -> dict:
    return dict(
        log_scalars=scalars,
        runtime_info=dict(iter=7),
        resumed_keys=dict.fromkeys([*scalars, 'iter'], True),
    )


@pytest.mark.parametrize('zipped', [True, False])  # torch < 1.6 did not zip
@pytest.mark.parametrize(
    'content',
    [
        BOMB,
        dict(state_dict=BOMB),
        dict(state_dict=dict(weight=BOMB)),
        dict(state_dict={}, optimizer=dict(state={0: BOMB})),
        dict(state_dict={}, meta=dict(time=BOMB)),
        dict(state_dict={}, message_hub=hub(loss=BOMB)),
        dict(state_dict={}, message_hub=hub(loss=history_of(BOMB))),
        dict(state_dict={}, message_hub=hub(loss=Call(builtins.getattr, BOMB, 'name'))),
        dict(state_dict={}, message_hub=hub(loss=Call(np.dtype, 'f8', state=BOMB))),
    ],
)
def test_a_bomb_does_not_go_off_wherever_it_is(tmp_path, content, zipped):
    torch.save(content, tmp_path / 'bomb.pth', _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r'without running code in it.*, trust=True'):
        load_from_local(str(tmp_path / 'bomb.pth'), 'cpu')


# What really ran these would raise.
IMPOSSIBLE_CALLS = [
    Call(builtins.getattr, 1, 'no such attribute'),
    Call(np.dtype, 'no such type'),
    Call(np.dtype, 'f8', state='no state of a type'),
    Call(np.ndarray, 'no shape'),
    Call(np.array(0).__reduce__()[0], 'no class'),
    Call(np.float64(0).__reduce__()[0], 'no type'),
    Call(HistoryBuffer, 1, 2, 3, 4, 5),
]


@pytest.mark.parametrize('call', IMPOSSIBLE_CALLS)
def test_a_name_that_is_let_through_stands_for_nothing(tmp_path, call):
    torch.save(dict(state_dict={}, message_hub=hub(loss=call)), tmp_path / 'a.pth')
    expected = dict(log_scalars={}, runtime_info=dict(iter=7), resumed_keys=dict(iter=True))
    assert load_from_local(str(tmp_path / 'a.pth'), 'cpu')['message_hub'] == expected


def test_files_that_were_written_with_numpy_1(tmp_path):
    content = dict(state_dict=dict(a=torch.ones(2)), message_hub=hub(loss=history_of(np.int8(1))))
    torch.save(content, tmp_path / 'new.pth', _use_new_zipfile_serialization=False)
    new = (tmp_path / 'new.pth').read_bytes()
    old = new.replace(b'numpy._core.multiarray', b'numpy.core.multiarray')
    assert len(old) < len(new)
    (tmp_path / 'old.pth').write_bytes(old)
    loaded = load_from_local(str(tmp_path / 'old.pth'), 'cpu')
    assert loaded['message_hub']['log_scalars'] == {}
    assert loaded['state_dict']['a'].tolist() == [1, 1]


@pytest.mark.parametrize('call', [IMPOSSIBLE_CALLS[0], np.float64(0.1), np.zeros(3)])
@pytest.mark.parametrize(
    ('place', 'content'),
    [
        ('state_dict.a', lambda value: dict(state_dict=dict(a=value))),
        ('optimizer.lr', lambda value: dict(state_dict={}, optimizer=dict(lr=value))),
        ('a', lambda value: dict(a=value)),
    ],
)
def test_weights_and_optimizer_are_taken_whole_or_not_at_all(tmp_path, call, place, content):
    torch.save(content(call), tmp_path / 'a.pth')
    with pytest.raises(UserError, match=f'{place} is an object'):
        load_from_local(str(tmp_path / 'a.pth'), 'cpu')


def test_what_stands_for_an_object_can_do_nothing():
    placeholder = Placeholder(1, 'two')
    placeholder.__setstate__(dict(a=3))
    assert vars(placeholder) == {}
    assert not callable(placeholder)


def test_what_holds_an_object_goes_with_it():
    gone, tensor = Placeholder(), torch.zeros(2)
    value = dict(
        a=gone, b=Placeholder, c=[1, gone], d=((gone,), 2), e=dict(f=gone, g=tensor), h=[{1: gone}]
    )
    kept = without_placeholders({**value, gone: 1, (gone, 1): 2, 'i': (tensor, 'j')})
    assert kept.keys() == {'e', 'h', 'i'}
    assert kept['e'].keys() == {'g'} and kept['e']['g'] is tensor
    assert kept['h'] == [{}]
    assert kept['i'][0] is tensor and kept['i'][1] == 'j'
    assert value['e']['f'] is gone  # not changed in place


def test_the_names_are_let_through_while_a_file_is_read_and_no_longer(tmp_path):
    before = set(torch.serialization.get_safe_globals())
    torch.save(dict(state_dict={}, message_hub=BOMB), tmp_path / 'a.pth')
    with pytest.raises(UserError):
        load_from_local(str(tmp_path / 'a.pth'), 'cpu')
    assert set(torch.serialization.get_safe_globals()) == before


def test_a_file_that_may_not_be_read_is_not_called_missing(tmp_path, monkeypatch):
    """As safetensors does. Root may read everything, so the system's answer is put in its place."""

    def forbidden(path: Path, *_: object) -> None:
        raise PermissionError(errno.EACCES, 'Permission denied', str(path))

    save_file(dict(x=torch.zeros(1)), tmp_path / 'a.safetensors')
    monkeypatch.setattr(Path, 'open', forbidden)
    with pytest.raises(PermissionError):
        read_file(tmp_path / 'a.safetensors', map_location='cpu')
