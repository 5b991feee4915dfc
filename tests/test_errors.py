import copy
import errno
import os
import pickle
import signal
import subprocess
import sys
import time

import pytest
from torch.utils.data import DataLoader, Dataset

from mmdet.errors import Remedy, UserError, exit_on_user_error

# Quotes a traceback of such an error, has several lines, and ends in what JSON escapes.
SAID = 'some help\nmmdet.errors.UserError: an old one\n\n  image "a\\b".jpg cannot be read: ünwell'


class OneWayUserError(UserError):
    """A kind of its own."""


class Broken(Dataset):
    """Every item is a mistake."""

    def __init__(self, kind: type[UserError] = UserError, *, cause: bool = False) -> None:
        self.kind = kind
        self.cause = cause

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> int:
        if not self.cause:
            raise self.kind(SAID, Remedy('settings', 'a=1'))
        try:
            raise UserError('the cause')
        except UserError as error:
            raise self.kind(SAID, Remedy('settings', 'a=1')) from error


def assert_exits(capsys: pytest.CaptureFixture, error: BaseException, code: int) -> str:
    with pytest.raises(SystemExit) as exit_, exit_on_user_error():
        raise error
    assert exit_.value.code == code
    return capsys.readouterr().err


def test_the_last_line_says_error_and_the_code_is_2(capsys):
    printed = assert_exits(capsys, UserError('some help\nx is missing: make x'), 2)
    assert printed == 'some help\nerror: x is missing: make x\n'


@pytest.mark.parametrize(
    ('dataset', 'num_workers'),
    [(Broken(), 0), (Broken(), 2), (Broken(cause=True), 1), (Broken(OneWayUserError), 1)],
)
def test_a_message_comes_whole_from_a_worker(dataset, num_workers):
    with pytest.raises(UserError) as raised:
        next(iter(DataLoader(dataset, num_workers=num_workers)))
    assert raised.value.message == SAID
    assert raised.value.remedy == Remedy('settings', 'a=1')
    assert str(raised.value) == f'{SAID}: a=1'
    assert type(raised.value) is dataset.kind


def test_a_remedy_is_worded_for_those_who_read_it(capsys):
    error = UserError('no weights; start without', Remedy('settings', 'init_cfg=None'))
    assert str(error) == 'no weights; start without: init_cfg=None'
    assert assert_exits(capsys, error, 2).endswith(': --cfg-options init_cfg=None\n')
    error = UserError('if you trust it', Remedy('trust', 'a.pth'))
    assert str(error).endswith(": mmdet.engine.checkpoint.read_checkpoint('a.pth', trust=True)")
    assert 'python -m mmdet convert a.pth OUT.pth --trust' in assert_exits(capsys, error, 2)


def test_a_copy_says_the_same():
    error = OneWayUserError(SAID, Remedy('trust', 'a.pth'))
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is OneWayUserError
        assert (other.message, other.remedy) == (error.message, error.remedy)


def test_a_text_without_a_note_is_kept():
    assert UserError(message='Caught UserError').message == 'Caught UserError'


@pytest.mark.parametrize(
    ('number', 'complaint'),
    [
        (errno.ENOSPC, 'no space is left on the disk'),
        (errno.EDQUOT, 'the disk quota is used up'),
        (errno.EROFS, 'read-only'),
        (errno.EACCES, 'permission denied'),
        (errno.EEXIST, 'is a file where a folder is needed'),
    ],
)
def test_a_system_error_that_can_be_mended_is_one_line(capsys, number, complaint):
    printed = assert_exits(capsys, OSError(number, os.strerror(number), 'w/epoch_1.pth'), 2)
    assert printed.startswith('error: w/epoch_1.pth: ') and complaint in printed
    assert len(printed.splitlines()) == 1
    printed = assert_exits(capsys, OSError(number, os.strerror(number)), 2)
    assert printed.startswith('error: ') and complaint in printed


def test_other_errors_are_left_alone():
    for error in (KeyError('a bug'), FileNotFoundError(errno.ENOENT, 'gone', 'x'), OSError('x')):
        with pytest.raises(type(error)), exit_on_user_error():
            raise error


def test_ctrl_c_that_became_another_error_is_told(capsys):
    with pytest.raises(SystemExit) as end, exit_on_user_error():
        try:
            raise KeyboardInterrupt
        except BaseException as error:
            raise SyntaxError('the whole config') from error
    assert end.value.code == 130
    assert capsys.readouterr().err == 'error: interrupted\n'


def test_ctrl_c_is_one_line(environment):
    program = (
        'import time\nfrom mmdet.errors import exit_on_user_error\n'
        'with exit_on_user_error():\n    print("ready", flush=True)\n    time.sleep(60)\n'
    )
    process = subprocess.Popen(
        [sys.executable, '-c', program],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == 'ready\n'
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 130
    assert printed == 'error: interrupted\n'
