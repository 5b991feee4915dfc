"""The figures of a test by size, by class and by threshold, as JSON holds them."""

from collections.abc import Mapping, Sequence

import numpy as np

from mmdet.evaluation.analysis import AREAS, ERRORS, RECALLS, Curves, ErrorAnalysis
from mmdet.evaluation.coco_metric import CocoMetric

from .objects import Objects

# As COCO's metric and LVIS's call the APs of sizes
_NAMES = dict(
    all=('segm_mAP', 'segm_AP'),
    small=('segm_mAP_s', 'segm_APs'),
    medium=('segm_mAP_m', 'segm_APm'),
    large=('segm_mAP_l', 'segm_APl'),
)
_PAIRS = 30  # of classes of which one is taken for the other
_MATRIX = 100  # classes, of which a matrix is kept


def overall(metric: CocoMetric, metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the figures of a metric that are not of one class.

    Args:
        metric: that was measured by.
        metrics: all that was reported.
    """
    names = [
        f'{metric.prefix}/{kind}_{item}' for kind in metric.metrics for item in metric.metric_items
    ]
    return {name: metrics[name] for name in names if name in metrics}


def of_sizes(metrics: Mapping[str, float], objects: Objects) -> list[dict]:
    """Return the AP of objects of each size, and how many were found."""
    rows = []
    for name, (low, high) in AREAS.items():
        chosen = (objects.areas >= low) & (objects.areas <= high)
        rows.append(
            dict(
                name=name,
                area=[low, high],
                objects=int(chosen.sum()),
                found=int(objects.found[chosen].sum()),
                ap=_figure(metrics, *_NAMES[name]),
            )
        )
    return rows


def _figure(metrics: Mapping[str, float], *names: str) -> float | None:
    """Return a figure by its name without prefix; None if it is not there, or was not measured."""
    found = [value for key, value in metrics.items() if key.rpartition('/')[2] in names]
    return found[0] if found and found[0] >= 0 else None


def of_classes(
    classes: Sequence[str], curves: Curves, objects: Objects, score_thr: float
) -> list[dict]:
    """Return the AP of each class, and what thresholds of the score do to it.

    Args:
        classes: their names.
        curves: of the test.
        objects: likewise.
        score_thr: the best threshold of all classes together.
    """
    rows = []
    for label, name in enumerate(classes):
        number = int(curves.positives[label])
        aps = curves.precision[:, label].mean(-1)
        at, best = curves.at(score_thr, label), curves.best(label)
        rows.append(
            dict(
                name=name,
                objects=number,
                found=int(objects.found[objects.labels == label].sum()),
                ap=float(aps.mean()) if number else None,
                ap_50=float(aps[0]) if number else None,
                at_best_of_all=at._asdict() if at else None,
                best=best._asdict() if best else None,
            )
        )
    return rows


def precision_recall(curves: Curves) -> dict | None:
    """Return precision over recall, the mean of the classes with objects; None without any."""
    there = curves.positives > 0
    if not there.any():
        return None
    mean = curves.precision[:, there].mean(1)
    return dict(
        recall=RECALLS.round(2).tolist(),
        iou_50=mean[0].round(4).tolist(),
        iou_75=mean[5].round(4).tolist(),
        iou_50_to_95=mean.mean(0).round(4).tolist(),
    )


def thresholds_of(curves: Curves) -> dict:
    """Return what thresholds of the score do, and the best of them by F1; all classes together."""
    best = curves.best()
    sweep = (curves.at(threshold) for threshold in np.linspace(0, 1, 51).round(2).tolist())
    return dict(
        best=best._asdict() if best else None,
        sweep=[each._asdict() for each in sweep if each is not None],
    )


def of_errors(analysis: ErrorAnalysis) -> dict:
    """Return what each kind of error costs, by size and class."""
    overall = analysis.by_size['all']
    return dict(
        iou_thr=analysis.iou_thr,
        ap=overall.ap,
        kinds=[
            dict(
                kind=kind,
                what=what,
                gain=overall.gains[kind],
                count=overall.counts[kind],
                by_size={
                    size: dict(gain=each.gains[kind], count=each.counts[kind])
                    for size, each in analysis.by_size.items()
                    if size != 'all'
                },
            )
            for kind, what in ERRORS.items()
        ],
        by_class=[
            dict(
                name=name,
                objects=sizes['all'].objects,
                ap=sizes['all'].ap,
                gains=sizes['all'].gains,
                counts=sizes['all'].counts,
            )
            for name, sizes in analysis.by_class.items()
        ],
    )


def of_confusion(matrix: np.ndarray, classes: Sequence[str], score_thr: float) -> dict:
    """Return which class is taken for which most often.

    Args:
        matrix: (K + 1, K + 1), of `confusion_matrix`.
        classes: names of the K labels.
        score_thr: at which it was counted.
    """
    taken = matrix[:-1, :-1].copy()
    np.fill_diagonal(taken, 0)
    order = np.argsort(-taken, axis=None, kind='stable')[:_PAIRS]
    pairs = [divmod(place, len(classes)) for place in order.tolist() if taken.flat[place]]
    sums = matrix.sum(1)
    return dict(
        score_thr=score_thr,
        pairs=[
            {
                'object': classes[row],
                'taken_for': classes[column],
                'times': int(taken[row, column]),
                'share': float(taken[row, column] / sums[row]),
            }
            for row, column in pairs
        ],
        matrix=matrix.tolist() if len(classes) <= _MATRIX else None,
    )
