"""What a test has found, beside what there is to find: where a model fails, and on what."""

from .comparison import ImageComparison, compare, mask_ious
from .matching import AREAS, EVERY_AREA, Matches, match
from .precision import RECALLS, average_precision, precision_at_recalls
from .results_file import TestImages, read_results

__all__ = [
    'AREAS',
    'EVERY_AREA',
    'RECALLS',
    'ImageComparison',
    'Matches',
    'TestImages',
    'average_precision',
    'compare',
    'mask_ious',
    'match',
    'precision_at_recalls',
    'read_results',
]
