"""Train a detector.

python tools/train.py CONFIG [--work-dir DIR] [--resume [CHECKPOINT]] [--amp] ...
"""

from mmdet.cli.program import run
from mmdet.cli.train import main

if __name__ == '__main__':
    run(main)
