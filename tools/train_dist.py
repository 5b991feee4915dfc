"""Train in several processes, one a GPU; without a GPU, that many on the CPU.

python tools/train_dist.py CONFIG NUM_GPUS [options of tools/train.py]
"""

import os
from pathlib import Path

from mmdet.cli.program import run
from mmdet.cli.train_dist import main, parse_args
from mmdet.engine.quick_start import folder_of


def main_of_checkout() -> None:
    """Train from the folder that the config is seen from: this checkout, if not the current one."""
    repo = Path(__file__).resolve().parents[1]
    os.chdir(folder_of(parse_args().config, here=Path.cwd(), repo=repo))
    main()


if __name__ == '__main__':
    run(main_of_checkout)
