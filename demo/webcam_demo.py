"""mmdetection's demo of a camera: predictions shown as it sees.

python demo/webcam_demo.py CONFIG CHECKPOINT [--camera-id N] ...
"""

import argparse
from collections.abc import Sequence

from mmdet.apis import load_detector, open_source, predict
from mmdet.cli.write_predictions import write_predictions
from mmdet.errors import exit_on_user_error
from mmdet.visualization.window import Window


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(description='Find the instances in what a camera sees')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--device', help='such as cpu or cuda:1; by default a GPU if there is one')
    parser.add_argument('--camera-id', type=int, default=0, metavar='N')
    parser.add_argument('--score-thr', type=float, default=0.5, help='draw from this score on')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Show what is found until Esc, q or Ctrl-C.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    pictures, window = open_source(args.camera_id), Window()
    model = load_detector(args.checkpoint, args.config, device=args.device)
    print('Esc or q in the window ends it')
    found = predict(model, pictures, True, score_thr=args.score_thr)
    write_predictions(found, pictures, [], window=window)


if __name__ == '__main__':
    with exit_on_user_error():
        main()
