"""Evaluate a results file by the config's test_evaluator.

python tools/analysis_tools/eval_metric.py CONFIG RESULTS [options]
"""

from mmdet.cli.eval_metric import main
from mmdet.cli.program import run

if __name__ == '__main__':
    run(main)
