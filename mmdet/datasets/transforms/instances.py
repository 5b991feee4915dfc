"""What all transforms need to know of the instances in a `results` dict.

They are parallel arrays: `gt_bboxes` (N, 4) float32 xyxy in pixels, `gt_bboxes_labels` (N,) int64,
`gt_ignore_flags` (N,) bool and, with masks, `gt_masks` (`BitmapMasks` of N).
"""

import numpy as np

from mmdet.structures.masks import BitmapMasks

INSTANCE_KEYS = ('gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags', 'gt_masks')


def select_instances(results: dict, keep: np.ndarray) -> dict:
    """Return the results with only the instances that the (N,) booleans or indices name."""
    return results | {key: results[key][keep] for key in INSTANCE_KEYS if key in results}


def join_instances(results: dict, others: dict) -> dict:
    """Return the results with the instances of others, of an image of that size, at the end."""
    joined: dict[str, np.ndarray | BitmapMasks] = {}
    for key in INSTANCE_KEYS:
        if key in results:
            cat = BitmapMasks.cat if key == 'gt_masks' else np.concatenate
            joined[key] = cat([results[key], others[key]])
    return results | joined
