"""What all transforms need to know of the instances in a `results` dict.

They are parallel arrays: `gt_bboxes` (N, 4) float32 xyxy in pixels, `gt_bboxes_labels` (N,) int64,
`gt_ignore_flags` (N,) bool and, with masks, `gt_masks` (`BitmapMasks` of N).
"""

import numpy as np

INSTANCE_KEYS = ('gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags', 'gt_masks')


def select_instances(results: dict, keep: np.ndarray) -> None:
    """Keep the instances that the (N,) booleans or indices `keep` name, in place."""
    for key in INSTANCE_KEYS:
        if key in results:
            results[key] = results[key][keep]
