"""Train without asking anything, then draw predicted masks: what train.sh hands over to.

python tools/quick_start.py [CONFIG] [options of tools/train.py]
"""

import os
import runpy
import sys
from functools import partial
from pathlib import Path

from mmdet.engine.quick_start import choose, this_machine, train_and_draw
from mmdet.errors import exit_on_user_error

TOOLS = Path(__file__).resolve().parent


def main() -> None:
    """Choose, train, draw."""
    choice = choose(
        sys.argv[1:],
        here=Path.cwd(),
        repo=TOOLS.parent,
        coco_root=os.environ.get('COCO_ROOT'),
        machine=this_machine(),
    )
    os.chdir(choice.folder)
    print(choice.reason, flush=True)
    # By path: `import test` means a package of Python's own to most readers.
    train, test = (runpy.run_path(str(TOOLS / name))['main'] for name in ('train.py', 'test.py'))
    # What is drawn at the end is looked for at the beginning.
    train = partial(train, stages=('train', 'val', 'test'))
    train_and_draw([choice.config, *choice.options], train=train, test=test)


if __name__ == '__main__':
    with exit_on_user_error():
        main()
