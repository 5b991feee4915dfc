import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub

from mmdet.engine.checkpoint import read_checkpoint, to_plain


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
    other.load_state_dict(
        read_checkpoint(str(tmp_path / 'a.pth'), map_location=None)['message_hub']
    )
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
    plain = to_plain(dict(keep=1, method=str.upper, thing=object()), name='x')
    assert plain == dict(keep=1)
