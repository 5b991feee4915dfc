"""Propose the grid, the ranges and the input size that suit a data set.

python tools/analysis_tools/fit_grid.py CONFIG [--apply OUT] ...
"""

from mmdet.cli.fit_grid import main
from mmdet.cli.program import run

if __name__ == '__main__':
    run(main)
