"""Draw the images that a model does best, and those that it does worst, by their mask AP.

python tools/analysis_tools/analyze_results.py CONFIG RESULTS DIR [--topk N] ...
"""

from mmdet.cli.analyze_results import main
from mmdet.cli.program import run

if __name__ == '__main__':
    run(main)
