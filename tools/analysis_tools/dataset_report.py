"""Say what is in the data sets of a config, what is amiss, and what SOLO can learn of it.

python tools/analysis_tools/dataset_report.py CONFIG --out report.html [--json FILE] ...
"""

from mmdet.cli.program import run
from mmdet.cli.report import main

if __name__ == '__main__':
    run(main)
