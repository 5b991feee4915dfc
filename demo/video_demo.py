"""mmdetection's demo of videos: predictions drawn into a video, or shown.

python demo/video_demo.py VIDEO CONFIG CHECKPOINT [--out FILE.mp4] [--show] ...
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmdet.apis import load_detector, open_source, predict
from mmdet.apis.outputs import Drawn, Names
from mmdet.cli.write_predictions import write_predictions
from mmdet.errors import UserError, exit_on_user_error
from mmdet.visualization.window import Window


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(description='Find the instances in a video')
    parser.add_argument('video', help='video file')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--device', help='such as cpu or cuda:1; by default a GPU if there is one')
    parser.add_argument('--score-thr', type=float, default=0.3, help='draw from this score on')
    parser.add_argument('--out', type=Path, metavar='FILE.mp4', help='the video to write')
    parser.add_argument('--show', action='store_true', help='show the frames in a window')
    parser.add_argument(
        '--wait-time',
        type=float,
        metavar='SECONDS',
        help='for how long each frame is shown; 0 waits for a key (default: until the next one)',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Predict, and draw or show every frame.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    if not (args.out or args.show):
        raise UserError('nothing would come of it: add --out FILE.mp4, --show, or both')
    pictures = open_source(args.video)
    window = Window(args.wait_time) if args.show else None
    model = load_detector(args.checkpoint, args.config, device=args.device)
    found = predict(model, pictures, True, score_thr=args.score_thr)
    outputs = [Drawn(args.out.parent, Names(), video=args.out)] if args.out else []
    write_predictions(found, pictures, outputs, window=window)


if __name__ == '__main__':
    with exit_on_user_error():
        main()
