"""Name what is wrong in a data set in COCO's format; write what can be saved.

python tools/dataset_converters/check_coco.py ANN [--images DIR] [--decode] [--fix OUT]
"""

from mmdet.cli.check_coco import main
from mmdet.cli.program import run

if __name__ == '__main__':
    run(main)
