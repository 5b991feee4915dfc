"""The training that a checkpoint is of, as its log beside the checkpoint has it."""

from pathlib import Path

import numpy as np

from mmdet.engine.run_log import Series, read_log
from mmdet.errors import UserError

_POINTS = 400  # of a curve


def training_of(folder: Path) -> dict | None:
    """Return the curves of a training: its losses, and the mask APs of its validations.

    Args:
        folder: that the checkpoint lies in.

    Returns:
        None if no log lies there that can be read.
    """
    try:
        log = read_log(str(folder))
    except UserError:
        return None
    ends = {key: key.rpartition('/')[2] for key in log.keys()}  # noqa: SIM118
    losses = [key for key, end in ends.items() if end.startswith('loss')]
    scores = [key for key, end in ends.items() if end in _SCORES]
    return dict(
        losses={key: _curve(log.series(key)) for key in losses},
        scores={key: _curve(log.series(key)) for key in scores},
    )


_SCORES = 'segm_mAP', 'segm_mAP_50', 'segm_mAP_75', 'segm_AP', 'segm_AP50', 'segm_AP75'


def _curve(series: Series) -> dict:
    """Return a curve of not more than so many points, each the mean of those that it is for.

    What is not finite, as the losses of a training that diverged, is left out: JSON has no NaN.
    """
    xs, ys = np.array(series.xs, float), np.array(series.ys, float)
    xs, ys = xs[np.isfinite(ys)], ys[np.isfinite(ys)]
    parts = np.array_split(np.arange(len(xs)), max(1, min(_POINTS, len(xs))))
    parts = [part for part in parts if len(part)]
    return dict(
        unit=series.unit,
        xs=[float(xs[part[-1]]) for part in parts],
        ys=[float(ys[part].mean()) for part in parts],
    )
