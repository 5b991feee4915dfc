import pytest

from mmdet.errors import UserError, exit_on_user_error


def test_the_last_line_says_error_and_the_code_is_2(capsys):
    with pytest.raises(SystemExit) as exit_, exit_on_user_error():
        raise UserError('some help\nx is missing: make x')
    assert exit_.value.code == 2
    assert capsys.readouterr().err == 'some help\nerror: x is missing: make x\n'


def test_a_workers_traceback_is_left_out(capsys):
    message = (
        'Caught UserError in DataLoader worker process 0.\nOriginal Traceback (most recent call '
        'last):\n  File "x.py", line 1\nmmdet.errors.UserError: image a.jpg cannot be read\n'
    )
    with pytest.raises(SystemExit), exit_on_user_error():
        raise UserError(message)
    assert capsys.readouterr().err == 'error: image a.jpg cannot be read\n'


def test_other_errors_are_left_alone():
    with pytest.raises(KeyError), exit_on_user_error():
        raise KeyError('a bug')
