"""Measure what a step of a training or a test takes, in time and memory.

python tools/analysis_tools/benchmark.py CONFIG [--mode train|data|test|eval] [--json FILE] ...
"""

from mmdet.cli.benchmark import main
from mmdet.cli.program import run

if __name__ == '__main__':
    run(main)
