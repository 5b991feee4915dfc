"""A page on which visitors drop pictures, and see what the models find in them.

python demo/web.py CHECKPOINT [CHECKPOINT ...] [--config CONFIG ...] [--host ADDRESS] ...
"""

import argparse
from collections.abc import Sequence

from mmdet.apis import load_detector
from mmdet.errors import UserError, exit_on_user_error
from mmdet.web import Limits, model_names, serve


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(description='Show what models find in pictures, on a web page')
    parser.add_argument('checkpoints', nargs='+', metavar='CHECKPOINT', help='side by side')
    parser.add_argument(
        '--config',
        nargs='+',
        metavar='CONFIG',
        help='for checkpoints that carry none: one for each, in their order, - for its own',
    )
    parser.add_argument('--device', help='such as cpu or cuda:1; by default a GPU if there is one')
    parser.add_argument('--score-thr', type=float, default=0.3, help='where the slider begins')
    parser.add_argument('--host', default='127.0.0.1', help='0.0.0.0: for other machines, too')
    parser.add_argument('--port', type=int, default=7860, help='0: any that is free')
    parser.add_argument('--max-upload-mb', type=int, default=20, metavar='MB')
    parser.add_argument('--max-megapixels', type=float, default=25, metavar='MILLIONS')
    parser.add_argument('--max-frames', type=int, default=100, metavar='N', help='of a video')
    parser.add_argument('--max-queue', type=int, default=8, metavar='N', help='files that may wait')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Load the models and serve the page until Ctrl-C.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    configs = args.config or ['-'] * len(args.checkpoints)
    if len(configs) != len(args.checkpoints):
        raise UserError(
            f'--config names {len(configs)} for {len(args.checkpoints)} checkpoints: name one for '
            'each, - where the checkpoint carries its own'
        )
    detectors = {
        name: load_detector(checkpoint, None if config == '-' else config, device=args.device)
        for name, checkpoint, config in zip(
            model_names(args.checkpoints), args.checkpoints, configs, strict=True
        )
    }
    serve(
        detectors,
        host=args.host,
        port=args.port,
        limits=Limits(megapixels=args.max_megapixels, frames=args.max_frames),
        score_thr=args.score_thr,
        max_upload_mb=args.max_upload_mb,
        max_queue=args.max_queue,
    )


if __name__ == '__main__':
    with exit_on_user_error():
        main()
