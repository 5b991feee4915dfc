import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import CheckpointLoader

from mmdet.engine.checkpoint import check_fit, to_plain
from mmdet.errors import UserError


class Bomb:
    """Runs code when it is unpickled without `weights_only`."""

    def __reduce__(self):
        return exec, ("raise SystemExit('a checkpoint ran code')",)


def load(path) -> dict:
    return CheckpointLoader.load_checkpoint(str(path), map_location='cpu', logger='silent')


def test_a_message_hub_goes_through_a_file(tmp_path):
    hub = MessageHub.get_instance('test_checkpoint_saved')
    for value in (3.0, 2.5, 0.25):
        hub.update_scalar('train/loss', value)
    hub.update_info('iter', np.int64(7))
    hub.update_info('best', dict(score=np.float32(0.5), path='a.pth', steps=(1, 2)))
    plain = to_plain(hub.state_dict(), name='message_hub')
    torch.save(dict(message_hub=plain, state_dict={}), tmp_path / 'a.pth')
    torch.load(tmp_path / 'a.pth', weights_only=True)  # does not raise

    other = MessageHub.get_instance('test_checkpoint_loaded')
    other.load_state_dict(load(tmp_path / 'a.pth')['message_hub'])
    assert other.get_scalar('train/loss').data[0].tolist() == [3.0, 2.5, 0.25]
    assert other.get_scalar('train/loss').mean(2) == pytest.approx(1.375)
    other.update_scalar('train/loss', 0.5)
    assert other.get_scalar('train/loss').current() == 0.5
    assert other.get_info('iter') == 7
    assert other.get_info('best') == dict(score=0.5, path='a.pth', steps=(1, 2))


def test_plain_values_have_plain_types():
    value = OrderedDict(
        a=np.float64(1.5), b=[np.int32(2), {3}], c=np.arange(3), d=HistoryBuffer([1.0], [1]), e=None
    )
    plain = to_plain(value, name='x')
    assert type(plain) is dict
    assert type(plain['a']) is float
    assert plain['b'] == [2, [3]]
    assert torch.equal(plain['c'], torch.arange(3))
    pickled = pickle.dumps(plain['d'])
    assert b'HistoryBuffer' in pickled  # the mark
    assert b'history_buffer' not in pickled  # and not the class


def test_what_has_no_plain_form_is_left_out(caplog):
    plain = to_plain(dict(keep=1, method=str.upper, thing=Bomb()), name='x')
    assert plain == dict(keep=1)


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
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(UserError, match='it holds a list'):
        load(tmp_path / 'list.pth')
    torch.save(dict(state_dict=dict(a=torch.zeros(1000))), tmp_path / 'whole.pth')
    whole = (tmp_path / 'whole.pth').read_bytes()
    (tmp_path / 'half.pth').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match='is not a checkpoint'):
        load(tmp_path / 'half.pth')


def test_a_fit_is_checked_by_names_and_shapes(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    state = model.state_dict()
    path = tmp_path / 'a.pth'

    def check(weights: dict) -> None:
        torch.save(weights, path)
        check_fit(model, str(path))

    check(dict(state_dict=state))
    check(state)
    check({f'module.{name}': value for name, value in state.items()})
    check({name: value for name, value in state.items() if 'num_batches' not in name})
    with pytest.raises(UserError, match=r'missing 1: 0\.bias'):
        check({name: value for name, value in state.items() if name != '0.bias'})
    with pytest.raises(UserError, match=r'unexpected 1: 2\.weight'):
        check({**state, '2.weight': torch.zeros(1)})
    with pytest.raises(UserError, match=r'0\.weight \(5, 2\) instead of \(3, 2\)'):
        check({**state, '0.weight': torch.zeros(5, 2)})
