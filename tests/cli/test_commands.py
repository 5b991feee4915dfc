"""The one command, `mmdet-solo`: what it lists, and what it says of a name that it has not."""

import subprocess
import sys
from importlib import import_module

import pytest

from mmdet.cli.commands import COMMANDS
from tests.processes import run_tool


@pytest.mark.parametrize('name', COMMANDS)
def test_a_command_has_help_of_its_own(name, capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', [f'mmdet-solo {name}'])
    with pytest.raises(SystemExit) as ended:
        import_module(COMMANDS[name].module).main(['--help'])
    assert not ended.value.code
    assert capsys.readouterr().out.startswith(f'usage: mmdet-solo {name} ')


@pytest.mark.parametrize('arguments', [(), ('-h',), ('--help',)])
def test_the_list_does_not_wait_for_torch(environment, arguments):
    code = 'import sys; from mmdet.__main__ import main; main(); assert "torch" not in sys.modules'
    run = run_tool('-c', code, *arguments, environment=environment)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert [line.split()[0] for line in lines if line.startswith('  ')] == list(COMMANDS)


def mistake(environment: dict[str, str], *arguments: str) -> str:
    run: subprocess.CompletedProcess = run_tool('-m', 'mmdet', *arguments, environment=environment)
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    return line


def test_an_unknown_command(environment):
    assert mistake(environment, 'tran') == (
        "error: mmdet-solo has no command 'tran'; did you mean 'train'?"
    )
    assert mistake(environment, 'xyz').endswith(f'; there are {", ".join(COMMANDS)}')


def test_a_users_mistake_is_one_line(environment):
    assert mistake(environment, 'train', 'none.py').startswith(
        'error: no such config file: none.py'
    )


def test_arguments_are_those_of_the_command(environment):
    run = run_tool('-m', 'mmdet', 'train', '--amq', environment=environment)
    assert run.returncode == 2
    assert run.stderr.startswith('usage: mmdet-solo train ')
