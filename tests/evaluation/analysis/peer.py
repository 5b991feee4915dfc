"""mmdetection's side of test_confusion.py, which tests/peer.py runs."""

import importlib.util
from pathlib import Path

import numpy as np
import torch


def answer(question: tuple[int, dict, list]) -> np.ndarray:
    """Return the confusion matrix of mmdetection's tool.

    Args:
        question: the number of classes; `score_thr` and `tp_iou_thr`; the images, each with its
            objects (label, box) and predictions (label, box, score).
    """
    import mmdet

    path = Path(mmdet.__file__).parent / '.mim/tools/analysis_tools/confusion_matrix.py'
    spec = importlib.util.spec_from_file_location('confusion_matrix', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    classes, arguments, images = question
    matrix = np.zeros((classes + 1, classes + 1))
    for things, found in images:
        result = dict(
            bboxes=torch.tensor([box for _, box, _ in found]).float().reshape(-1, 4),
            labels=torch.tensor([label for label, *_ in found], dtype=torch.long),
            scores=torch.tensor([score for *_, score in found]),
        )
        objects = [dict(bbox=box, bbox_label=label) for label, box in things]
        tool.analyze_per_img_dets(matrix, objects, result, **arguments)
    return matrix
