"""Writing and showing predictions one after the other: progress, and what is said at the end."""

import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mmdet.apis import Prediction
from mmdet.apis.outputs import Output
from mmdet.apis.sources import Pictures
from mmdet.visualization.window import Window


def write_predictions(
    found: Generator[Prediction, None, None],
    pictures: Pictures,
    outputs: Sequence[Output],
    *,
    window: Window | None = None,
) -> None:
    """Write, and perhaps show, every prediction; then say how many there were and where they are.

    This is said also where an error or Ctrl-C ends it. For a camera or a stream Ctrl-C is the
    usual end.

    Args:
        found: of `predict`.
        pictures: that they are of.
        outputs: what is written; they are closed.
        window: where they are shown; it is closed. Its user may end everything.
    """
    tally = _Tally()
    try:
        with ExitStack() as stack:
            stack.enter_context(closing(found))
            for each in [*outputs, *([window] if window else [])]:
                stack.enter_context(closing(each))
            progress = stack.enter_context(_progress())
            task = progress.add_task('', total=pictures.total, speed='')
            for prediction in found:
                for output in outputs:
                    output.add(prediction)
                tally.add(prediction)
                progress.update(
                    task, advance=1, total=pictures.total, speed=f'{tally.speed:.1f} a second'
                )
                if window and not window.show(
                    prediction.plot(), is_frame=prediction.frame is not None
                ):
                    break
    except KeyboardInterrupt:
        if not pictures.live:
            raise
    finally:
        _report(tally, pictures, outputs)


class _Tally:
    """How much there was, and how quickly."""

    def __init__(self) -> None:
        self.pictures = self.instances = 0
        self.unit = 'picture'
        self._begin = self._end = time.monotonic()

    def add(self, prediction: Prediction) -> None:
        self.pictures += 1
        self.instances += len(prediction)
        self.unit = 'picture' if prediction.frame is None else 'frame'
        self._end = time.monotonic()

    @property
    def speed(self) -> float:
        """Pictures a second."""
        return self.pictures / max(self._end - self._begin, 1e-9)


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        BarColumn(),
        TextColumn('{task.completed:.0f}/{task.total}'),
        TextColumn('{task.fields[speed]}'),
        TimeElapsedColumn(),
        TextColumn('ETA'),
        TimeRemainingColumn(),
        console=console,
        # A log file would be filled with bars.
        disable=not console.is_terminal,
    )


def _report(tally: _Tally, pictures: Pictures, outputs: Sequence[Output]) -> None:
    sys.stdout.flush()
    for broken in pictures.broken:
        print(f'warning: left out: {broken}', file=sys.stderr)
    for note in [*pictures.notes, *(note for output in outputs for note in output.notes)]:
        print(f'note: {note}', file=sys.stderr)
    if tally.pictures and not tally.instances:
        print('note: nothing was found; a lower --score-thr lets more through', file=sys.stderr)
    places = [place for output in outputs for place in output.places] if tally.pictures else []
    written = f'; written: {", ".join(places)}' if places else ''
    print(
        f'{_counted(tally.pictures, tally.unit)}, {_counted(tally.instances, "instance")}, '
        f'{tally.speed:.1f} {tally.unit}s a second{written}',
        flush=True,
    )


def _counted(number: int, what: str) -> str:
    return f'{number} {what}{"" if number == 1 else "s"}'
