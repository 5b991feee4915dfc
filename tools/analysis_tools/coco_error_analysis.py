"""Say what mask AP would be without each kind of error, for each size and class.

python tools/analysis_tools/coco_error_analysis.py CONFIG RESULTS OUT_DIR [options]
"""

from mmdet.cli.error_analysis import main
from mmdet.cli.program import run

if __name__ == '__main__':
    run(main)
