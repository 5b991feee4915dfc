"""What a training logged in numbers: a line of JSON each time, in `vis_data/scalars.json`.

`LoggerHook` has mmengine's `LocalVisBackend` write it, into a folder of its own for each start of a
training. A line of a training step has `iter`; one of a validation has not.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

from mmdet.errors import UserError

_NAME = 'scalars.json'
_EXPECTED = f'expected is vis_data/{_NAME} of a training, or its work directory'
_PLACES = frozenset({'step', 'iter', 'epoch'})  # where a line belongs, which is no figure
_RESUMED = re.compile(r'^resume = True$', re.MULTILINE)  # in the settings beside a log


class Series(NamedTuple):
    """The values of one key.

    Attributes:
        stage: of which it is.
        unit: of `xs`.
        xs: where each value was logged; in epochs, or in iterations, from 1.
        ys: the values.
    """

    stage: Literal['training', 'validation']
    unit: Literal['epoch', 'iteration']
    xs: list[float]
    ys: list[float]


@dataclass(frozen=True)
class RunLog:
    """The lines of one training, in their order; those of a resumed one are joined.

    Attributes:
        source: the file or folder, as it was named.
        lines: `step` is in each; the iteration, or, of a validation, mostly the epoch.
    """

    source: str
    lines: Sequence[Mapping]

    def keys(self) -> list[str]:
        """Return what figures there are, those of the training first."""
        names = [name for is_training in (True, False) for name in self._names(is_training)]
        return list(dict.fromkeys(names))

    def series(self, key: str) -> Series:
        """Return the values of a key.

        Args:
            key: its name, or what follows the last `/` of it: `segm_mAP` is `coco/segm_mAP`. What
                both a training and its validations have, such as `time`, is the training's.

        Raises:
            UserError: there is no such key, or there are several.
        """
        name = self._full_name(key)
        if name in self._names(True):
            lines = [line for line in self.training if _is_number(line.get(name))]
            return Series('training', 'iteration', _of(lines, 'step'), _of(lines, name))
        places = [place for place in self._validations() if _is_number(place[2].get(name))]
        epochs = [epoch for epoch, _, _ in places]
        ys = [float(line[name]) for _, _, line in places]
        if self.counts_epochs and all(a < b for a, b in pairwise(epochs)):
            return Series('validation', 'epoch', epochs, ys)
        return Series('validation', 'iteration', [iteration for _, iteration, _ in places], ys)

    @property
    def training(self) -> list[Mapping]:
        """The lines of training steps."""
        return [line for line in self.lines if 'iter' in line]

    @property
    def counts_epochs(self) -> bool:
        """Whether the training's steps are counted by epoch, too."""
        return bool(self.training) and all('epoch' in line for line in self.training)

    def _names(self, is_training: bool) -> list[str]:
        lines = [line for line in self.lines if ('iter' in line) == is_training]
        names = dict.fromkeys(name for line in lines for name in line if _is_number(line[name]))
        return [name for name in names if name not in _PLACES]

    def _full_name(self, key: str) -> str:
        names = self.keys()
        if key in names:
            return key
        ending = [name for name in names if name.endswith(f'/{key}')]
        if len(ending) == 1:
            return ending[0]
        if ending:
            raise UserError(f'--keys {key}: {self.source} has {" and ".join(ending)}: name one')
        near = get_close_matches(key, [*names, *(name.rpartition('/')[2] for name in names)], n=1)
        hint = f'did you mean {near[0]!r}? It' if near else 'it'
        raise UserError(
            f'--keys {key}: {self.source} has no such key; {hint} has {", ".join(names)}'
        )

    def _validations(self) -> Iterator[tuple[float, float, Mapping]]:
        """Yield the epoch, the iteration and the line of each validation.

        `step` is the epoch unless the logger counts metrics by iterations. Where it is, all that is
        known of the iteration is the last one that was logged before.
        """
        iteration = 0.0
        for line in self.lines:
            if 'iter' in line:
                iteration = float(line['step'])
            else:
                yield float(line['step']), max(iteration, float(line['step'])), line


def read_log(source: str) -> RunLog:
    """Read what a training logged.

    Args:
        source: a file; or a work directory, of which the newest training is read, with all that
            it was resumed from there.

    Raises:
        UserError: there is none, or it is empty, cut off, or something else.
    """
    path = Path(source)
    if not path.exists():
        raise UserError(f'no such log: {source}; {_EXPECTED}')
    lines: list[dict] = []
    for file in _parts(path) if path.is_dir() else [path]:
        lines = _joined(lines, _read(file))
    return RunLog(source, lines)


def _parts(folder: Path) -> list[Path]:
    """Return the files of the newest training in a folder, in their order."""
    for pattern in (_NAME, f'vis_data/{_NAME}', f'*/vis_data/{_NAME}'):
        # Each start has a folder that its time is the name of.
        if found := sorted(folder.glob(pattern)):
            break
    else:
        raise UserError(f'{folder} holds no log of a training; {_EXPECTED}')
    first = len(found) - 1
    while first > 0 and _was_resumed(found[first]):
        first -= 1
    return found[first:]


def _was_resumed(log: Path) -> bool:
    config = log.with_name('config.py')
    return config.is_file() and _RESUMED.search(config.read_text(errors='replace')) is not None


def _joined(before: list[dict], after: list[dict]) -> list[dict]:
    """Return the lines of a training and of what resumed it, which did some of it again."""
    begins = next((line['step'] for line in after if 'iter' in line), None)
    if begins is None:
        return before + after
    again = (i for i, line in enumerate(before) if 'iter' in line and line['step'] >= begins)
    kept = before[: next(again, len(before))]
    # Validations that come before the first logged step of what resumed it
    first = next(i for i, line in enumerate(after) if 'iter' in line)
    repeated = {line['step'] for line in after[:first]}
    while kept and 'iter' not in kept[-1] and kept[-1]['step'] in repeated:
        kept = kept[:-1]
    return kept + after


def _read(path: Path) -> list[dict]:
    lines: list[dict] = []
    with path.open('rb') as file:
        for number, text in enumerate(file, 1):
            try:
                line = json.loads(text)
            except ValueError:  # no JSON, or no UTF-8
                if not text.endswith(b'\n') and text.startswith(b'{"'):
                    raise UserError(
                        f'{path} is cut off in line {number}: copy it anew, or delete that line'
                    ) from None
                line = None
            if not isinstance(line, dict) or not _is_number(line.get('step')):
                raise UserError(
                    f'{path} is no log of a training, as line {number} shows; {_EXPECTED}'
                )
            lines.append(line)
    if not lines:
        raise UserError(f'{path} is empty; {_EXPECTED}')
    return lines


def _of(lines: Sequence[Mapping], name: str) -> list[float]:
    return [float(line[name]) for line in lines]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
