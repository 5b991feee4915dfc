"""`mmdet-solo print-config`: the settings that a config comes to, as a training would run them."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.fileio import dump

from mmdet.engine.config import add_config_arguments, load_config
from mmdet.engine.config.as_data import SUFFIXES
from mmdet.engine.config.source import settings_text
from mmdet.errors import UserError
from mmdet.utils.files import check_target, write_whole


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(
        description='Print the settings that a config comes to, with its bases and these options'
    )
    parser.add_argument('config', help='config file, or the name of a shipped one')
    parser.add_argument(
        '--save-path', metavar='FILE', help='write them, too: a new .py, .json, .yml or .yaml'
    )
    add_config_arguments(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> Config:
    """Print the settings, write them if that is asked for, and return them.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend, in the config, too.
    """
    args = parse_args(argv)
    path = None if args.save_path is None else Path(args.save_path)
    if path is not None and path.suffix not in ('.py', *SUFFIXES):
        raise UserError(f'--save-path {path}: a config is a .py, .json, .yml or .yaml file')
    # A JSON file has no room to say who made it, so none is written over.
    check_target('--save-path', args.save_path, is_ours=lambda _: False)
    cfg = load_config(args)
    settings = cfg.to_dict()
    text = settings_text(settings)
    print(text, end='', flush=True)
    if path is not None:
        if path.suffix != '.py':
            text = dump(settings, file_format=path.suffix[1:])
        write_whole(path, text.encode())
    return cfg
