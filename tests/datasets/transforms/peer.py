"""Runs mmdetection 3.3's transforms; see `tests/peer.py`."""

import numpy as np

PEER_TO_OURS = ('img', 'gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags', 'gt_masks')


def answer(cases: list[dict]) -> list[dict]:
    return [run(**case) for case in cases]


def run(type: str, arguments: dict, seed: int, results: dict) -> dict:
    from mmdet.registry import TRANSFORMS

    given = _theirs(results)
    if 'mix_results' in results:
        given['mix_results'] = [_theirs(each) for each in results['mix_results']]
    transform = TRANSFORMS.build(dict(type=type, **arguments))
    np.random.seed(seed)
    found = transform(given)
    return {key: _plain(found[key]) for key in PEER_TO_OURS if key in found}


def _theirs(results: dict) -> dict:
    from mmdet.structures.bbox import HorizontalBoxes
    from mmdet.structures.mask import BitmapMasks

    theirs = {**results, 'gt_bboxes': HorizontalBoxes(results['gt_bboxes'].copy())}
    theirs['img'] = results['img'].copy()
    if 'gt_masks' in results:
        theirs['gt_masks'] = BitmapMasks(results['gt_masks'].copy(), *results['img_shape'])
    return theirs


def _plain(value: object) -> np.ndarray:
    value = getattr(value, 'masks', value)
    return value if isinstance(value, np.ndarray) else value.numpy()
