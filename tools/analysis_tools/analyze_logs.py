"""Draw the curves of trainings in one picture, or say what a training step took.

python tools/analysis_tools/analyze_logs.py plot_curve LOG ... --keys KEY ... --out FILE
python tools/analysis_tools/analyze_logs.py cal_train_time LOG ...
"""

from mmdet.cli.analyze_logs import main
from mmdet.cli.program import run

if __name__ == '__main__':
    run(main)
