"""Runs mmdetection 3.3's confusion matrix, by its interpreter: pickled scenes from stdin to stdout.

The first argument is the folder of `mmdet33.py`, which makes mmdetection importable.
"""

import contextlib
import importlib.util
import pickle
import sys
from pathlib import Path

import numpy as np
import torch


def main(shim: Path) -> None:
    classes, arguments, images = pickle.load(sys.stdin.buffer)
    with contextlib.redirect_stdout(sys.stderr):  # whatever is imported prints
        sys.path.insert(0, str(shim))
        import mmdet33  # noqa: F401

        import mmdet

        path = Path(mmdet.__file__).parent / '.mim/tools/analysis_tools/confusion_matrix.py'
        spec = importlib.util.spec_from_file_location('confusion_matrix', path)
        tool = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tool)
        matrix = np.zeros((classes + 1, classes + 1))
        for things, found in images:
            result = dict(
                bboxes=torch.tensor([box for _, box, _ in found]).float().reshape(-1, 4),
                labels=torch.tensor([label for label, *_ in found], dtype=torch.long),
                scores=torch.tensor([score for *_, score in found]),
            )
            objects = [dict(bbox=box, bbox_label=label) for label, box in things]
            tool.analyze_per_img_dets(matrix, objects, result, **arguments)
    pickle.dump(matrix, sys.stdout.buffer)


if __name__ == '__main__':
    main(Path(sys.argv[1]))
