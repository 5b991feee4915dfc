"""Metrics."""

from .coco_metric import CocoMetric
from .dump_det_results import DumpDetResults
from .lvis_metric import LVISMetric

__all__ = ['CocoMetric', 'DumpDetResults', 'LVISMetric']
