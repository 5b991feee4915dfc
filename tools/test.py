"""Test a detector: COCO's figures, a table by class, and `metrics.json` in the work directory.

python tools/test.py CONFIG CHECKPOINT [--out RESULTS.json] [--show-dir DIR] ...
"""

from mmdet.cli.program import run
from mmdet.cli.test import main

if __name__ == '__main__':
    run(main)
