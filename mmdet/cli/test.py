"""`mmdet-solo test`: COCO's figures, a table by class, and `metrics.json` in the work directory."""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks import PrepareTTAHook
from mmengine.runner import Runner

from mmdet.engine.checkpoint import check_fit
from mmdet.engine.config import (
    add_common_arguments,
    is_a,
    load_config,
    metrics_of,
    require_stage,
    with_tta,
)
from mmdet.engine.dataset_report.parts import Part
from mmdet.engine.hooks import DetVisualizationHook
from mmdet.engine.launch import build_runner
from mmdet.engine.preflight import check_files
from mmdet.engine.report_page import told_by
from mmdet.engine.result_report import MADE_BY, Run, collect, page_of, read_parts
from mmdet.engine.wrapper import device_of
from mmdet.errors import UserError
from mmdet.evaluation import CocoMetric, DumpDetResults
from mmdet.export import ExportedDetector, is_exported
from mmdet.registry import HOOKS, METRICS
from mmdet.utils.files import check_target, write_whole

_PICKLES = ('.pkl', '.pickle')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(description='Test a detector')
    parser.add_argument('config', help='config file, or the name of a shipped one')
    parser.add_argument('checkpoint', help='checkpoint file, or one that export has written')
    parser.add_argument(
        '--out',
        metavar='FILE',
        help="write the detections: FILE.json in COCO's format, FILE.pkl in mmdetection's",
    )
    parser.add_argument(
        '--show-dir',
        metavar='DIR',
        help='draw the predictions into this folder, in sub-folders as the data set has them',
    )
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument(
        '--wait-time',
        type=float,
        default=2,
        metavar='SECONDS',
        help='for how long each is shown; 0 waits for the space bar',
    )
    parser.add_argument('--show-limit', type=int, metavar='N', help='draw N images at most')
    parser.add_argument(
        '--tta',
        action='store_true',
        help="test-time augmentation: the config's tta_pipeline, or each image mirrored, too",
    )
    parser.add_argument(
        '--report',
        nargs='?',
        const=True,
        type=_page_name,
        metavar='FILE',
        help='write a page that says what limits the model: report.html beside the checkpoint, '
        'or FILE; and its figures, report.json',
    )
    add_common_arguments(parser)
    return parser.parse_args(argv)


def _page_name(text: str) -> str:
    if not text.endswith('.html'):
        raise argparse.ArgumentTypeError(
            f'{text} is no name ending in .html; name the file, or write --report at the end'
        )
    return text


def main(argv: Sequence[str] | None = None) -> Runner:
    """Test, and return the runner: its `work_dir` holds `metrics.json`, or `metrics_tta.json`.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    cfg = load_config(args)
    require_stage(cfg, 'test', source=args.config)
    page = None if args.report is None else _page(args, cfg)
    of_one_view = cfg
    exported = is_exported(args.checkpoint)
    if exported and args.tta:
        raise UserError(
            f'{args.checkpoint} is an exported file, which takes one view of an image: '
            'name the checkpoint, or leave --tta out'
        )
    if exported:
        _take_exported(cfg, args.checkpoint)
    else:
        cfg = with_tta(cfg) if args.tta else cfg
        cfg.load_from = args.checkpoint
    cfg.resume = False  # the config that a resumed run saved says otherwise
    named = metrics_of(cfg.test_evaluator)
    coco_metrics = [metric for metric in named if is_a(metric, METRICS, CocoMetric)]
    for metric in coco_metrics:
        metric['classwise'] = True
    if args.out and not args.out.endswith(('.json', *_PICKLES)):
        raise UserError(f'--out {args.out}: name a .json file, or a .pkl')
    if args.out and args.out.endswith('.json'):
        if not coco_metrics:
            raise UserError(f'--out needs a CocoMetric in test_evaluator of {args.config}')
        coco_metrics[0]['result_file'] = args.out
    if page:
        measuring = [metric for metric in coco_metrics if not metric.get('format_only')]
        if not measuring:
            raise UserError(
                '--report needs a CocoMetric without format_only in test_evaluator of '
                f'{args.config}'
            )
        measuring[0]['keep_results'] = True
    if args.show or args.show_dir:
        hooks = cfg.setdefault('default_hooks', {})
        own = hooks.get('visualization') or {}
        hooks['visualization'] = dict(
            own if is_a(own, HOOKS, DetVisualizationHook) else {},
            type='DetVisualizationHook',
            draw=True,
            show=args.show,
            wait_time=args.wait_time,
            # The hook would take a relative one below the work directory.
            test_out_dir=os.path.abspath(args.show_dir) if args.show_dir else None,
            test_limit=args.show_limit,
        )
    folders = [args.show_dir] if args.show_dir else []
    folders += [os.path.dirname(args.out) or '.'] if args.out else []
    check_files(cfg, ('test',), folders=folders)
    runner = build_runner(cfg)
    if not exported:
        check_fit(runner.model, args.checkpoint)
    if args.tta:
        runner.register_hook(PrepareTTAHook(cfg.tta_model.to_dict()))
    if args.out and args.out.endswith(_PICKLES):
        # pyrefly: ignore[missing-attribute]: loops of tests have an evaluator
        runner.test_loop.evaluator.metrics.append(DumpDetResults(args.out))
    metrics = runner.test()
    parts = read_parts(of_one_view) if page else []
    if is_main_process():
        path = _metrics_file(args, cfg)
        path.write_text(json.dumps(metrics, indent=2) + '\n')
        if args.out:
            print(f'detections: {args.out}')
        if args.show_dir:
            print(f'pictures: {args.show_dir}')
        print(f'metrics: {path}', flush=True)
        if page:
            _write_report(page, args, of_one_view, runner, parts, metrics)
    return runner


def _metrics_file(args: argparse.Namespace, cfg: Config) -> Path:
    # Those of several views are no figures of the checkpoint, to be published with it.
    return Path(cfg.work_dir, 'metrics_tta.json' if args.tta else 'metrics.json')


def _page(args: argparse.Namespace, cfg: Config) -> Path:
    """Return where the page goes, which can be written.

    Raises:
        UserError: it cannot, or something else is there.
    """
    # What several views find is no result of the checkpoint alone.
    name = 'report_tta.html' if args.tta else 'report.html'
    is_local = '://' not in args.checkpoint
    beside = Path(args.checkpoint).with_name(name) if is_local else Path(cfg.work_dir, name)
    page = beside if args.report is True else Path(args.report)
    figures = page.with_suffix('.json')
    if args.out and Path(args.out).absolute() == figures.absolute():
        raise UserError(f'--out and the figures of --report are both {figures}: name two files')
    if figures.absolute() == _metrics_file(args, cfg).absolute():
        raise UserError(
            f'--report {page}: {figures} is where the test writes its metrics; name another page'
        )
    for path in (page, figures):
        check_target('--report', str(path), is_ours=told_by(MADE_BY))
    return page


def _write_report(
    page: Path,
    args: argparse.Namespace,
    cfg: Config,
    runner: Runner,
    parts: Sequence[Part],
    metrics: dict[str, float],
) -> None:
    """Write the page and its figures, and print what limits the model."""
    loop = runner.test_loop
    # A loop of the user's own may do without what mmengine's have.
    metrics_there = getattr(getattr(loop, 'evaluator', None), 'metrics', ())
    metric = next((each for each in metrics_there if getattr(each, 'keep_results', False)), None)
    loader = getattr(loop, 'dataloader', None)
    if metric is None or loader is None:
        raise UserError(f'--report needs the TestLoop of mmengine, not {type(loop).__name__}')
    report = collect(
        metric,
        metric.results_kept,
        loader.dataset,
        parts,
        cfg,
        Run(args.config, args.checkpoint, args.tta, str(device_of(runner.model)), metrics),
    )
    content = json.dumps(report.figures, ensure_ascii=False, indent=1)
    write_whole(page.with_suffix('.json'), f'{content}\n'.encode())
    write_whole(page, page_of(report).encode())
    for each in report.figures['limits']:
        print(f'- {each["said"]} {each["remedy"]}')
    print(f'report: {page}', flush=True)


def _take_exported(cfg: Config, path: str) -> None:
    """Put an exported file in the place of a config's model."""
    if cfg.launcher != 'none':
        raise UserError(f'{path} is an exported file: one process tests it, without --launcher')
    number, wanted = len(ExportedDetector(path).metadata.classes), cfg.model.mask_head.num_classes
    if number != wanted:
        raise UserError(f'{path} has {number} classes, the config {wanted}: is it another model?')
    cfg.model = dict(type='ExportedDetector', path=path)
    cfg.load_from = None
