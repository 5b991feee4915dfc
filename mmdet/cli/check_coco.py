"""`mmdet-solo check-coco`: what is wrong in a data set in COCO's format, and what can be saved."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mmdet.datasets.coco_check import CheckedDataSet, check_data_set
from mmdet.errors import UserError
from mmdet.utils.files import write_whole

NOTES = """\
A line for each thing that is wrong: what training makes of it, and where it is.

  refused         training does not begin; --fix drops it, or takes the better of two
  left out        training does without it; --fix drops it
  repaired        so does training; --fix writes it down
  not trained on  counts in evaluation only; --fix keeps it
  to note         --fix keeps it

Images are looked at with --images, by their first and last bytes; what looks amiss there is read.
An image whose picture is missing, broken or of another size is dropped with its annotations; one
without height and width gets its picture's.

Exit code: 0 if nothing is refused, left out or repaired; 1 if anything is; 2 if ANN cannot be
checked, or OUT not be written.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(
        description="Name what is wrong in a data set in COCO's format, and repair it",
        epilog=NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('ann_file', metavar='ANN', help='annotation file')
    parser.add_argument('--images', metavar='DIR', help='folder of the images: look at them, too')
    parser.add_argument('--decode', action='store_true', help='read the images whole')
    parser.add_argument('--fix', metavar='OUT', help='write what can be saved to this file')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Check; the process ends with exit code 1 where there are defects.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    if args.decode and args.images is None:
        raise UserError('--decode reads images: name their folder with --images DIR')
    if args.images is not None and not Path(args.images).is_dir():
        raise UserError(f'--images {args.images}: there is no such folder')
    if args.fix is not None:
        _check_target(args.fix, args.ann_file)
    checked = check_data_set(
        args.ann_file, args.images, decode=args.decode, take_sizes=args.fix is not None
    )
    for line in checked.lines():
        print(line)
    print(f'{args.ann_file}: {_summary(checked)}')
    if args.fix is not None:
        print(f'{args.fix}: {_write(checked, args.fix)}', flush=True)
    if checked.number_of_defects():
        sys.exit(1)


def _check_target(target: str, source: str) -> None:
    if not Path(target).absolute().parent.is_dir():
        raise UserError(f'--fix {target}: its folder does not exist')
    if Path(target).is_dir():
        raise UserError(f'--fix {target} is a folder: name a file in it')
    if Path(target).exists() and Path(source).exists() and Path(target).samefile(source):
        raise UserError(f'--fix {target} is the file to check: name another, and compare them')


def _summary(checked: CheckedDataSet) -> str:
    counts = Counter(finding.effect for finding in checked.findings)
    found = ', '.join(f'{number:,} {effect}' for effect, number in counts.items())
    sections = (len(checked.content[key]) for key in ('images', 'annotations'))
    images, annotations = (f'{number:,}' for number in sections)
    return f'{images} images, {annotations} annotations: {found or "nothing is wrong"}'


def _write(checked: CheckedDataSet, target: str) -> str:
    saved = checked.saved()
    if not saved['images']:
        raise UserError(f'--fix {target}: no image can be saved, nothing is written')
    write_whole(Path(target), json.dumps(saved, ensure_ascii=False).encode())
    kept = (
        f'{len(saved[key]):,} of {len(checked.content[key]):,} {key}'
        for key in ('images', 'annotations')
    )
    return f'{" and ".join(kept)} are kept'
