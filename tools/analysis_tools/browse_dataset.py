"""Look at the images of a training with their masks, as its pipeline gives them.

python tools/analysis_tools/browse_dataset.py CONFIG [--output-dir DIR] [--not-show] ...
"""

from mmdet.cli.browse import main
from mmdet.cli.program import run

if __name__ == '__main__':
    run(main)
