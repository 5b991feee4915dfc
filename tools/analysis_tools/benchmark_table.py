"""Tables in Markdown of what `benchmark.py --json` and a comparison have measured.

python tools/analysis_tools/benchmark_table.py FOLDER
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmdet.cli.program import run
from mmdet.errors import UserError

# How the files of a comparison end: of mmdetection, and of this project.
_THEIRS, _OURS = '.mmdet', '.here'


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: there is nothing to print, or a file holds something else.
    """
    parser = argparse.ArgumentParser(description='Print what was measured as Markdown tables')
    parser.add_argument('folder', type=Path, help='of the JSON files, of which each makes a row')
    folder = parser.parse_args(argv).folder
    reports = dict(_read(folder))
    if not reports:
        raise UserError(f'{folder} holds no .json file')
    print('\n'.join(lines_of(reports)))


def lines_of(reports: Mapping[str, Mapping]) -> Iterator[str]:
    """Yield the lines of the tables.

    Args:
        reports: by the names of their files, without `.json`. One whose name ends in `.mmdet` or
            `.here` has `forward`, `backward` (seconds) and `peak_gb`, and makes a row with the
            other of its name; any other is `benchmark.py`'s.
    """
    compared = {name: reports[name] for name in reports if name.endswith((_THEIRS, _OURS))}
    own = {name: reports[name] for name in reports if name not in compared}
    steps = {name: report for name, report in own.items() if report['mode'] != 'data'}
    yield from dict.fromkeys(_machine(report['machine']) for report in own.values())
    if steps:
        yield from ('', '| | batch | precision | step | images a second | memory | waits |')
        yield '| --- ' * 7 + '|'
        yield from (_step_row(name, report) for name, report in steps.items())
    if len(steps) < len(own):
        yield from ('', '| | images a second | from workers |', '| --- | --- | --- |')
    for name in own.keys() - steps.keys():
        yield f'| {name} | {own[name]["images_a_second"]:.1f} | {own[name]["workers"]} |'
    if compared:
        yield from ('', '| | mmdet 3.3 | here | time | memory |', '| --- | --- | --- | --- | --- |')
        works = dict.fromkeys(name.rpartition('.')[0] for name in compared)
        yield from (_row_beside(work, compared) for work in works)


def _read(folder: Path) -> Iterator[tuple[str, dict]]:
    for path in sorted(folder.glob('*.json')):
        try:
            report = json.loads(path.read_bytes())
        except ValueError:
            raise UserError(f'{path} is no JSON: measure it again, or delete it') from None
        if not isinstance(report, dict) or not report.keys() & {'mode', 'peak_gb'}:
            raise UserError(f'{path} was not written by benchmark.py: move it elsewhere')
        yield path.name.removesuffix('.json'), report


def _machine(machine: Mapping) -> str:
    return f'{machine["gpu"] or machine["cpu"]}, torch {machine["torch"]}'


def _step_row(name: str, report: Mapping) -> str:
    height, width = report['size']
    cells = (
        name,
        f'{report["images"]} x {height} x {width}',
        report['mixed_precision'] or 'float32',
        _milliseconds(report['seconds']),
        f'{report["images_a_second"]:.2f}',
        f'{report["peak_memory"] / 1e9:.2f} GB',
        str(sum(report['waits'].values())),
    )
    return f'| {" | ".join(cells)} |'


def _row_beside(work: str, compared: Mapping[str, Mapping]) -> str:
    sides = [compared.get(f'{work}{side}') for side in (_THEIRS, _OURS)]
    cells = [
        f'{_milliseconds(_seconds(side))}, {side["peak_gb"]:.2f} GB' if side else '-'
        for side in sides
    ]
    theirs, ours = sides
    if theirs and ours:
        cells += [f'{_seconds(ours) / _seconds(theirs):.2f}']
        cells += [f'{ours["peak_gb"] / theirs["peak_gb"]:.2f}']
    else:
        cells += ['-', '-']
    return f'| {work} | {" | ".join(cells)} |'


def _seconds(side: Mapping) -> float:
    return side['forward'] + (side['backward'] if side['mode'] == 'train' else 0.0)


def _milliseconds(seconds: float) -> str:
    return f'{seconds * 1e3:.1f} ms'


if __name__ == '__main__':
    run(main)
