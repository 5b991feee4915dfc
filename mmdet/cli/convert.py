"""`mmdet-solo convert`: any SOLO code base's checkpoint as plain weights under our names."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmdet.engine.checkpoint import known_layouts, read_checkpoint, unknown_names
from mmdet.engine.checkpoint.write import encode
from mmdet.errors import UserError
from mmdet.utils.files import write_whole

NOTES = f"""\
Known layouts: {known_layouts()}.
Their checkpoints also load without a conversion.

Weights of the original SOLO repository fit configs with torchvision's pixel statistics, as the
shipped ones; num_classes counts no background here: 80, not 81. AdelaiDet's want

    data_preprocessor=dict(mean=[103.53, 116.28, 123.675], std=[1.0, 1.0, 1.0], bgr_to_rgb=False)
    backbone=dict(style='caffe')

if they began with detectron2's MSRA weights, as its SOLOv2 R50 and R101 did.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(
        description='Turn the checkpoint of any SOLO code base into plain weights under our names',
        epilog=NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('source', metavar='IN', help='checkpoint file')
    parser.add_argument(
        'target', metavar='OUT', type=Path, help='file to write: .pth, or .safetensors'
    )
    parser.add_argument(
        '--trust',
        action='store_true',
        help='unpickle everything in IN. Whoever made the file can run any program as you: '
        'only for files of your own, or from people you would run a program of',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Convert.

    Args:
        argv: the command line without the program's name; this process's own if it is None.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    if not args.target.absolute().parent.is_dir():
        raise UserError(f'the folder of {args.target} does not exist')
    checkpoint = read_checkpoint(args.source, map_location='cpu', trust=args.trust)
    weights = {name: value.detach() for name, value in checkpoint['state_dict'].items()}
    unknown = unknown_names(weights)
    if unknown:
        more = ', ...' if len(unknown) > 3 else ''
        raise UserError(
            f'{args.source} is of no known layout: {len(unknown)} of {len(weights)} names are not '
            f"a SOLO's: {', '.join(unknown[:3])}{more}; {known_layouts()}"
        )
    content = encode(weights, {}, safetensors=args.target.suffix == '.safetensors')
    write_whole(args.target, content)
    print(f'{len(weights)} parameters: {args.target}')
