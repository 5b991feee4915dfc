"""Count parameters and multiplications of a network, by part.

python tools/analysis_tools/get_flops.py CONFIG [--shape H W] [--mode test|train] ...
"""

from mmdet.cli.get_flops import main
from mmdet.cli.program import run

if __name__ == '__main__':
    run(main)
