"""Find the instances in pictures, videos, cameras and streams.

python tools/predict.py SOURCE CHECKPOINT [--out-dir DIR] [--score-thr SCORE] ...
"""

from mmdet.cli.predict import main
from mmdet.cli.program import run

if __name__ == '__main__':
    run(main)
