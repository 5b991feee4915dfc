"""`mmdet-solo analyze-logs`: the curves of trainings in one picture, and what a step took."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmdet.engine.run_log import RunLog, Series, read_log
from mmdet.errors import UserError
from mmdet.utils.files import check_target, write_whole
from mmdet.visualization.curves import Line, Panel, fill_figure
from mmdet.visualization.window import why_no_window

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MADE_BY = 'mmdet-solo analyze-logs'
# Where a picture says who made it, by its kind.
_MARKS = {'.png': 'Software', '.pdf': 'Creator', '.svg': 'Creator'}
_SEABORN = ('dark', 'darkgrid', 'ticks', 'white', 'whitegrid')  # styles of its own


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(description='Look at what trainings logged')
    tasks = parser.add_subparsers(dest='task', required=True)
    plot = tasks.add_parser('plot_curve', help='draw curves, of several trainings in one picture')
    time = tasks.add_parser('cal_train_time', help='say what a training step took')
    for each in (plot, time):
        each.add_argument(
            'json_logs',
            nargs='+',
            metavar='LOG',
            help='vis_data/scalars.json of a training, or a work directory: its newest training',
        )
    plot.add_argument(
        '--keys',
        nargs='+',
        default=['coco/segm_mAP'],
        metavar='KEY',
        help='what to draw: loss, loss_mask, lr, ... (default: coco/segm_mAP)',
    )
    plot.add_argument(
        '--start-epoch', type=int, default=1, metavar='N', help='draw from this epoch on'
    )
    plot.add_argument(
        '--eval-interval',
        type=int,
        default=1,
        metavar='N',
        help='draw the validations of every Nth epoch',
    )
    plot.add_argument('--title', help='above the picture')
    plot.add_argument(
        '--legend', nargs='+', metavar='NAME', help='of each curve: the keys of the first log, ...'
    )
    plot.add_argument('--backend', help="matplotlib's, that draws or shows: Agg, QtAgg, TkAgg, ...")
    plot.add_argument(
        '--style', help="matplotlib's, such as ggplot, or seaborn's: dark, whitegrid, ..."
    )
    plot.add_argument(
        '--out', metavar='FILE', help='write a .png, .pdf or .svg, in place of opening a window'
    )
    time.add_argument(
        '--include-outliers',
        action='store_true',
        help='count the first value of each epoch, too, in which the loaders begin',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw, or print times.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    if args.task == 'plot_curve':
        _plot_curve(args)
    else:
        logs = [read_log(source) for source in args.json_logs]
        lines = [line for log in logs for line in _times(log, with_first=args.include_outliers)]
        print('\n'.join(lines), flush=True)


def _plot_curve(args: argparse.Namespace) -> None:
    from matplotlib.style import context

    if args.out is not None:
        if Path(args.out).suffix not in _MARKS:
            raise UserError(f'--out {args.out}: a picture is a {", ".join(_MARKS)} file')
        check_target('--out', args.out, is_ours=lambda ends: _MADE_BY.encode() in ends)
    logs = [read_log(source) for source in args.json_logs]
    legend = args.legend or [f'{log.source}_{key}' for log in logs for key in args.keys]
    if len(legend) != len(logs) * len(args.keys):
        raise UserError(
            f'--legend has {len(legend)} names for {len(logs)} logs x {len(args.keys)} keys: '
            f'give it {len(logs) * len(args.keys)}'
        )
    found = [_chosen(log.series(key), log, args) for log in logs for key in args.keys]
    with context(_style(args.style)) if args.style else nullcontext():
        figure = _new_figure(args)
        fill_figure(figure, list(_panels(found, legend)))
        if args.title:
            figure.suptitle(args.title)
        if args.out is None:
            from matplotlib import pyplot

            pyplot.show()
        else:
            _save(figure, Path(args.out))
            print(f'curves: {args.out}', flush=True)


def _chosen(series: Series, log: RunLog, args: argparse.Namespace) -> Series:
    """Return the values of the epochs that `--start-epoch` and `--eval-interval` choose."""
    start, interval = args.start_epoch, args.eval_interval
    if start < 1 or interval < 1:
        raise UserError('--start-epoch and --eval-interval are 1 or more')
    if start == interval == 1:
        return series
    if not log.counts_epochs or (series.stage, series.unit) == ('validation', 'iteration'):
        raise UserError(
            f'{log.source} counts iterations, not epochs: leave --start-epoch and --eval-interval '
            'out'
        )
    if series.unit == 'epoch':
        epochs = [int(x) if x % interval == 0 else -1 for x in series.xs]
    else:
        of_step = {line['step']: line['epoch'] for line in log.training}
        epochs = [of_step[x] for x in series.xs]
    kept = [i for i, epoch in enumerate(epochs) if epoch >= start]
    if not kept:
        raise UserError(
            f'nothing to draw: {log.source} has no value of an epoch from {start} on'
            + (f' that {interval} divides' if interval > 1 else '')
        )
    return series._replace(xs=[series.xs[i] for i in kept], ys=[series.ys[i] for i in kept])


def _panels(found: Sequence[Series], legend: Sequence[str]) -> Iterator[Panel]:
    """Yield a panel for each kind of series: those of one share what is horizontal."""
    for stage, unit in dict.fromkeys((each.stage, each.unit) for each in found):
        lines = [
            Line(name, each.xs, each.ys, has_dots=stage == 'validation')
            for name, each in zip(legend, found, strict=True)
            if (each.stage, each.unit) == (stage, unit)
        ]
        yield Panel(stage, unit, '', lines)


def _style(name: str) -> str:
    from matplotlib.style import available

    full = f'seaborn-v0_8-{name}' if name in _SEABORN else name
    if full not in ('default', *available):
        raise UserError(
            f'--style {name}: matplotlib has no such style; there are '
            f'{", ".join((*_SEABORN, *(each for each in available if each[0] != "_")))}'
        )
    return full


def _new_figure(args: argparse.Namespace) -> 'Figure':
    """Return a figure of the backend that was named; without one, that needs no window."""
    from matplotlib.figure import Figure

    if args.backend is None and args.out is not None:
        return Figure()
    from matplotlib import pyplot

    if args.backend is not None:
        try:
            pyplot.switch_backend(args.backend)
        except (ImportError, ValueError) as error:
            reason = ' '.join(str(error).split())
            raise UserError(f'--backend {args.backend} cannot be used: {reason}') from None
    if args.out is None and (why := why_no_window()):
        raise UserError(f'no window can be opened ({why}): name --out FILE.png')
    return pyplot.figure()


def _save(figure: 'Figure', path: Path) -> None:
    content = BytesIO()
    kind = path.suffix
    figure.savefig(content, format=kind[1:], dpi=100, metadata={_MARKS[kind]: _MADE_BY})
    write_whole(path, content.getvalue())


def _times(log: RunLog, *, with_first: bool) -> Iterator[str]:
    """Yield what mmdetection prints, of the epochs that there are."""
    yield f'-----Analyze train time of {log.source}-----'
    by_epoch: dict[int, list[float]] = {}
    for line in log.training:
        if 'time' in line:
            by_epoch.setdefault(line.get('epoch', 0), []).append(float(line['time']))
    if not by_epoch:
        raise UserError(f'{log.source} has no times of training steps: IterTimerHook logs them')
    means = {
        epoch: float(np.mean(times if with_first else times[1:]))
        for epoch, times in by_epoch.items()
        if with_first or len(times) > 1
    }
    if not means:
        raise UserError(
            f'{log.source} has one value an epoch, the first, which is left out: add '
            '--include-outliers, or have more logged with default_hooks.logger.interval'
        )
    if log.counts_epochs:
        slowest, fastest = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
        yield f'slowest epoch {slowest}, average time is {means[slowest]:.4f} s/iter'
        yield f'fastest epoch {fastest}, average time is {means[fastest]:.4f} s/iter'
        yield f'time std over epochs is {np.std(list(means.values())):.4f}'
    yield f'average iter time: {np.mean(list(means.values())):.4f} s/iter'
    yield ''
