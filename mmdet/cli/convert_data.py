"""`mmdet-solo convert-data`: a data set of one format, written in another."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmdet.datasets.conversion.collection import Collection, collect
from mmdet.datasets.conversion.out_folder import whole_folder
from mmdet.datasets.conversion.source import KINDS, open_source
from mmdet.datasets.conversion.to_coco import write_coco
from mmdet.datasets.conversion.to_labelme import write_labelme
from mmdet.datasets.conversion.to_parquet import write_parquet_parts
from mmdet.datasets.conversion.to_yolo import write_yolo
from mmdet.errors import UserError

WRITERS = dict(coco=write_coco, yolo=write_yolo, labelme=write_labelme, parquet=write_parquet_parts)

NOTES = """\
  coco     OUT/annotations/instances_PART.json, OUT/PART/ with the images
  yolo     OUT/data.yaml, OUT/images/PART/, OUT/labels/PART/
  labelme  OUT/labels.txt, OUT/PART/ with the images, a JSON file beside each
  parquet  OUT/annotations/PART/*.parquet, OUT/PART/ with the images; needs pyarrow

Masks stay the same to an IoU of 0.99 or more. What the format cannot hold is counted, and said in
the last line with the first of each kind. OUT is made whole or not at all. Ultralytics needs a
part val to train: --split makes one.

examples:
  mmdet-solo convert-data my_coco/ --to yolo my_yolo/ --split 0.8 0.2
  mmdet-solo convert-data result.json --images images/ --to labelme my_labelme/
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(
        description='Write a data set in another format',
        epilog=NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'source', metavar='SOURCE', type=Path, help="the data set's folder, or an annotation file"
    )
    parser.add_argument('out', metavar='OUT', type=Path, help='folder to make')
    parser.add_argument('--to', required=True, choices=WRITERS, help='format to write')
    parser.add_argument('--images', metavar='DIR', help="folder of an annotation file's images")
    parser.add_argument(
        '--format',
        choices=KINDS,
        help='what reads SOURCE; found out by default from its files, or its ending',
    )
    parser.add_argument(
        '--split',
        nargs='+',
        type=float,
        metavar='SHARE',
        help='share out the images anew: of train and val, and if there are three, of test; by '
        'default the parts stay as they are, and one without a name becomes train',
    )
    parser.add_argument(
        '--seed', type=int, help='of --split: the same gives the same parts; 0 by default'
    )
    parser.add_argument(
        '--link',
        action='store_true',
        help='make hard links to the images, which take no room, instead of copies',
    )
    parser.add_argument(
        '--allow-outside-root',
        action='store_true',
        help='take images from outside of SOURCE, too, where its files say so: only of files that '
        'you trust',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Convert.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
        OSError: the disk is full, or cannot be written.
    """
    args = parse_args(argv)
    if args.seed is not None and args.split is None:
        raise UserError('--seed is for --split, which is not there')
    if args.source.is_dir() and args.out.resolve().is_relative_to(args.source.resolve()):
        raise UserError(f'{args.out} lies in {args.source}: name a folder beside it')
    sources = open_source(
        args.source, images=args.images, kind=args.format, trusted=args.allow_outside_root
    )
    with whole_folder(args.out) as folder:
        collection = collect(sources)
        if args.split is not None:
            collection = collection.split(args.split, args.seed or 0)
        print(f'{args.source}: {_summary(collection)}', flush=True)  # writing may take minutes
        if collection.findings.summary():
            print(f'{args.source}: {collection.findings.summary()}', flush=True)
        written = WRITERS[args.to](collection, folder, link=args.link)
    print(f'{args.out}: {written.summary() or "all of it is there"}')


def _summary(collection: Collection) -> str:
    parts = (f'{part} {len(pictures):,}' for part, pictures in collection.parts.items())
    return f'{", ".join(parts)} images; {len(collection.classes)} classes'
