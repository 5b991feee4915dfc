"""Count which class is taken for which, by the overlap of masks.

python tools/analysis_tools/confusion_matrix.py CONFIG RESULTS SAVE_DIR [options]
"""

from mmdet.cli.confusion_matrix import main
from mmdet.cli.program import run

if __name__ == '__main__':
    run(main)
