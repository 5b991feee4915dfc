"""Test a detector: COCO's figures, a table by class, and `metrics.json` in the work directory.

python tools/test.py CONFIG CHECKPOINT [--out RESULTS.json] [--show-dir DIR] ...
"""

import argparse
import json
import os
from pathlib import Path

from mmengine.dist import is_main_process

from mmdet.engine.checkpoint import check_fit
from mmdet.engine.launch import add_common_arguments, build_runner, load_config
from mmdet.errors import UserError, exit_on_user_error


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Test a detector')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', metavar='FILE', help="write the detections, in COCO's JSON format")
    parser.add_argument(
        '--show-dir',
        metavar='DIR',
        help='draw the predictions into this folder, in sub-folders as the data set has them',
    )
    parser.add_argument('--show-limit', type=int, metavar='N', help='draw N images at most')
    add_common_arguments(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args)
    cfg.load_from = args.checkpoint
    evaluator = cfg.test_evaluator
    if isinstance(evaluator, dict) and evaluator.type == 'CocoMetric':
        evaluator.classwise = True
    if args.out:
        if not args.out.endswith('.json'):
            raise UserError(f'--out {args.out}: the detections are JSON; name a .json file')
        evaluator.result_file = args.out
    if args.show_dir:
        cfg.setdefault('default_hooks', {})['visualization'] = dict(
            type='DetVisualizationHook',
            draw=True,
            test_out_dir=os.path.abspath(args.show_dir),  # the hook's own are below the work dir
            test_limit=args.show_limit,
        )
    runner = build_runner(cfg)
    check_fit(runner.model, args.checkpoint)
    metrics = runner.test()
    if is_main_process():
        path = Path(cfg.work_dir, 'metrics.json')
        path.write_text(json.dumps(metrics, indent=2) + '\n')
        print(f'metrics: {path}', flush=True)


if __name__ == '__main__':
    with exit_on_user_error():
        main()
