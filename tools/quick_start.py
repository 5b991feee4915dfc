"""Train without asking anything, then draw predicted masks: what train.sh hands over to.

python tools/quick_start.py [CONFIG] [options of tools/train.py]
"""

import os
import sys
from functools import partial
from pathlib import Path

from mmdet.cli import test, train
from mmdet.cli.program import run
from mmdet.engine.quick_start import choose, this_machine, train_and_draw


def main() -> None:
    """Choose, train, draw."""
    choice = choose(
        sys.argv[1:],
        here=Path.cwd(),
        repo=Path(__file__).resolve().parents[1],
        coco_root=os.environ.get('COCO_ROOT'),
        machine=this_machine(),
    )
    os.chdir(choice.folder)
    print(choice.reason, flush=True)
    train_and_draw(
        [choice.config, *choice.options],
        # What is drawn at the end is looked for at the beginning.
        train=partial(train.main, stages=('train', 'val', 'test')),
        test=test.main,
    )


if __name__ == '__main__':
    run(main)
