"""Turn the checkpoint of any SOLO code base into plain weights under our names.

python tools/model_converters/convert_checkpoint.py IN OUT [--trust]
"""

import argparse
import os
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from mmdet.engine.checkpoint import known_layouts, read_checkpoint, unknown_names
from mmdet.errors import UserError, exit_on_user_error

NOTES = f"""\
Known layouts: {known_layouts()}.
Their checkpoints also load without a conversion.

Weights of the original SOLO repository fit configs with torchvision's pixel statistics, as the
shipped ones; num_classes counts no background here: 80, not 81. AdelaiDet's want

    data_preprocessor=dict(mean=[103.53, 116.28, 123.675], std=[1.0, 1.0, 1.0], bgr_to_rgb=False)
    backbone=dict(style='caffe')

if they began with detectron2's MSRA weights, as its SOLOv2 R50 and R101 did.
"""


def parse_args() -> argparse.Namespace:
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
    return parser.parse_args()


def save_weights(weights: dict[str, Tensor], target: Path) -> None:
    """Write weights; the file is whole or, after a failure, what it was before."""
    part = target.with_name(f'{target.name}.part')
    try:
        if target.suffix == '.safetensors':
            # It refuses tensors that share memory, as tied weights do.
            copies = {
                name: value.clone(memory_format=torch.contiguous_format)
                for name, value in weights.items()
            }
            save_file(copies, part, metadata=dict(format='pt'))
        else:
            torch.save(dict(state_dict=weights, meta={}), part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def main() -> None:
    args = parse_args()
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
    save_weights(weights, args.target)
    print(f'{len(weights)} parameters: {args.target}')


if __name__ == '__main__':
    with exit_on_user_error():
        main()
