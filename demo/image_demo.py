"""mmdetection's demo of images: predictions drawn, and as JSON.

python demo/image_demo.py INPUTS MODEL [--weights CHECKPOINT] [--out-dir DIR] ...

`mmdet-solo predict` takes more kinds of sources, and writes more.
"""

import argparse
from collections.abc import Sequence

from mmdet.apis import DetInferencer
from mmdet.errors import exit_on_user_error


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, this process's own if it is None."""
    parser = argparse.ArgumentParser(description='Find the instances in images')
    parser.add_argument('inputs', help="an image's path or address, or a folder")
    parser.add_argument(
        'model', help="a config's path or name, or a checkpoint that carries its config"
    )
    parser.add_argument('--weights', help='checkpoint file')
    parser.add_argument('--out-dir', default='outputs', help='for vis/ and preds/')
    parser.add_argument('--device', help='such as cpu or cuda:1; by default a GPU if there is one')
    parser.add_argument('--pred-score-thr', type=float, default=0.3, help='draw from this score on')
    parser.add_argument('--batch-size', type=int, default=1)
    parser.add_argument('--show', action='store_true', help='show the images in a window')
    parser.add_argument('--no-save-vis', action='store_true', help='do not write drawn images')
    parser.add_argument('--no-save-pred', action='store_true', help='do not write JSON files')
    parser.add_argument('--print-result', action='store_true', help='print the predictions')
    parser.add_argument(
        '--palette', default='none', choices=['coco', 'voc', 'citys', 'random', 'none']
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Predict, and write what was asked for.

    Raises:
        UserError: something that the user can mend.
    """
    args = parse_args(argv)
    inferencer = DetInferencer(args.model, args.weights, device=args.device, palette=args.palette)
    inferencer(
        args.inputs,
        batch_size=args.batch_size,
        show=args.show,
        no_save_vis=args.no_save_vis,
        pred_score_thr=args.pred_score_thr,
        print_result=args.print_result,
        no_save_pred=args.no_save_pred,
        out_dir=args.out_dir,
    )
    if not (args.no_save_vis and args.no_save_pred):
        print(f'written: {args.out_dir}')


if __name__ == '__main__':
    with exit_on_user_error():
        main()
