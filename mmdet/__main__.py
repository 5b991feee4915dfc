"""`mmdet-solo COMMAND ...`, or `python -m mmdet COMMAND ...`."""

import difflib
import importlib
import sys
from collections.abc import Sequence

from mmdet.cli.commands import COMMANDS

NAME = 'mmdet-solo'


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command that a command line names, that of this process if it is None."""
    command, *arguments = (sys.argv[1:] if argv is None else argv) or ['--help']
    if command in ('-h', '--help'):
        print(_help())
        return
    if command not in COMMANDS:
        near = difflib.get_close_matches(command, COMMANDS, n=1)
        hint = f'did you mean {near[0]!r}?' if near else f'there are {", ".join(COMMANDS)}'
        print(f'error: {NAME} has no command {command!r}; {hint}', file=sys.stderr)
        sys.exit(2)
    # As if the command were a program of this name: its messages and its help say so.
    sys.argv = [f'{NAME} {command}', *arguments]
    program = importlib.import_module('mmdet.cli.program')
    program.run(importlib.import_module(COMMANDS[command].module).main)


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f'    {name:{width}}  {command.help}' for name, command in COMMANDS.items()]
    return '\n'.join(
        [
            f'usage: {NAME} COMMAND ...',
            '',
            *lines,
            '',
            f'The options of a command: {NAME} COMMAND --help',
        ]
    )


if __name__ == '__main__':
    main()
