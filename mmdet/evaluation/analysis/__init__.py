"""What a test has found, beside what there is to find: where a model fails, and on what."""

from .comparison import ImageComparison, compare, mask_ious
from .curves import Curves, Operation
from .image_ap import IOU_THRS, ImageScore, best_and_worst, image_score, matches_of
from .matching import AREAS, EVERY_AREA, Matches, match
from .precision import RECALLS, average_precision, precision_at_recalls
from .results_file import TestImages, read_results

__all__ = [
    'AREAS',
    'EVERY_AREA',
    'IOU_THRS',
    'RECALLS',
    'Curves',
    'ImageComparison',
    'ImageScore',
    'Matches',
    'Operation',
    'TestImages',
    'average_precision',
    'best_and_worst',
    'compare',
    'image_score',
    'mask_ious',
    'match',
    'matches_of',
    'precision_at_recalls',
    'read_results',
]
