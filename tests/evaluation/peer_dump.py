"""Figures by mmdetection 3.3, of a file that `DumpDetResults` wrote; see `tests/peer.py`."""

import pickle


def answer(question: dict) -> dict[str, float]:
    from mmdet.evaluation import CocoMetric

    metric = CocoMetric(ann_file=question['ann_file'], metric='segm')
    metric.dataset_meta = dict(classes=question['classes'])
    samples = pickle.loads(question['dumped'])
    metric.process({}, samples)
    return metric.evaluate(len(samples))
