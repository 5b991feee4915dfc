"""`mmdet-solo eval-metric`: the figures of a test, from the results file that it left."""

import argparse
import json
from collections.abc import Sequence

from mmdet.engine.config import add_config_arguments, load_config
from mmdet.engine.finished_test import evaluate, read_test
from mmdet.utils import register_all_modules


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(
        description="Evaluate a results file by the config's test_evaluator"
    )
    parser.add_argument('config', help='config file, or the name of a shipped one')
    parser.add_argument(
        'pkl_results', metavar='results', help='what tools/test.py --out has written'
    )
    add_config_arguments(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> dict:
    """Print the figures, the last line as JSON, and return them.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    cfg = load_config(args)
    register_all_modules()
    metrics = evaluate(cfg, read_test(cfg, args.pkl_results))
    print(json.dumps(metrics), flush=True)
    return metrics
