"""`mmdet-solo export`: a checkpoint as an ONNX, torch.export or OpenVINO file."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmdet.apis import load_detector
from mmdet.errors import UserError
from mmdet.export import FORMATS, ExportSettings, export_detector
from mmdet.export.check import check_export
from mmdet.models.detectors import SOLO


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(
        description='Write a detector to a file that runs without this package'
    )
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--format', choices=FORMATS, default='onnx')
    parser.add_argument(
        '--config', help='what it was trained with; by default the config in the checkpoint'
    )
    parser.add_argument(
        '--out', metavar='FILE', help="by default the checkpoint's path with another suffix"
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('H', 'W'),
        help='of the input, multiples of 32; by default that which the test pipeline resizes to',
    )
    parser.add_argument(
        '--dynamic',
        action='store_true',
        help='take any height and width; the default where the test pipeline names no size',
    )
    parser.add_argument('--half', action='store_true', help='compute in float16')
    parser.add_argument(
        '--raw', action='store_true', help='the heads alone, for a program that does the rest'
    )
    parser.add_argument(
        '--candidates',
        type=int,
        metavar='N',
        help='cells and classes whose masks are drawn, best first; by default nms_pre',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> Path:
    """Export, try the file in its runtime, and return its path.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    settings = ExportSettings(
        size=(args.size[0], args.size[1]) if args.size else None,
        dynamic=args.dynamic,
        half=args.half,
        raw=args.raw,
        num_candidates=args.candidates,
    )
    out = Path(args.out) if args.out else Path(args.checkpoint).with_suffix(FORMATS[args.format])
    detector = load_detector(args.checkpoint, args.config, device='cpu')
    if not isinstance(detector, SOLO):
        raise UserError(f'{args.checkpoint} is no SOLO that was trained here: it is not exported')
    metadata = export_detector(
        detector, detector.cfg, detector.dataset_meta, out, format=args.format, settings=settings
    )
    size = '{} x {} pixels'.format(*metadata.size) if metadata.size else 'any size'
    print(f'exported: {out}, for images of {size}', flush=True)
    print(check_export(out, detector), flush=True)
    return out
