"""`--amp`: mixed precision for a run whose config does not ask for it."""

import argparse
import sys
from collections.abc import Sequence
from typing import Literal

from mmengine.config import Config

from mmdet.errors import UserError

_DTYPES = ('bfloat16', 'float16')


def add_amp_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--amp [DTYPE]`: None where it is left out, and empty without a name."""
    parser.add_argument(
        '--amp',
        nargs='?',
        const='',
        choices=('', *_DTYPES),
        metavar='DTYPE',
        help=f"mixed precision, {' or '.join(_DTYPES)}; without a name in the device's usual one",
    )


def words_of(argv: Sequence[str] | None) -> list[str]:
    """Return a command line, this process's own for None, where `--amp` takes no config for a name.

    As in mmdetection, it may stand before the config.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    return [
        '--amp=' if word == '--amp' and after not in _DTYPES else word
        for word, after in zip(words, [*words[1:], ''], strict=True)
    ]


def use_mixed_precision(cfg: Config, stage: Literal['train', 'test'], *, dtype: str) -> None:
    """Change a config so that its training, or its test, computes in mixed precision.

    Args:
        cfg: changed in place.
        stage: of the two.
        dtype: `bfloat16`, `float16`, or empty for the device's usual one.

    Raises:
        UserError: a test is to compute in a certain one.
    """
    if stage == 'train':
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
        if dtype:
            cfg.optim_wrapper.dtype = dtype
        return
    if dtype:
        raise UserError(f"a test computes in the device's usual dtype: --amp, without {dtype}")
    cfg.test_cfg.fp16 = True
