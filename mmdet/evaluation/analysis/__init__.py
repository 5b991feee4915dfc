"""What a test has found, beside what there is to find: where a model fails, and on what."""

from mmdet.evaluation.curves import RECALLS
from mmdet.evaluation.truth import AREAS

from .comparison import ImageComparison, compare, mask_ious
from .confusion import confusion_matrix, row_shares
from .curves import Curves, Operation
from .errors import ERRORS, ErrorAnalysis, ErrorFigures, analyse_errors
from .image_ap import IOU_THRS, ImageScore, best_and_worst, image_score, matches_of
from .matching import EVERY_AREA, Matches, match
from .precision import average_precision
from .results_file import TestImages, read_results

__all__ = [
    'AREAS',
    'ERRORS',
    'EVERY_AREA',
    'IOU_THRS',
    'RECALLS',
    'Curves',
    'ErrorAnalysis',
    'ErrorFigures',
    'ImageComparison',
    'ImageScore',
    'Matches',
    'Operation',
    'TestImages',
    'analyse_errors',
    'average_precision',
    'best_and_worst',
    'compare',
    'confusion_matrix',
    'image_score',
    'mask_ious',
    'match',
    'matches_of',
    'read_results',
    'row_shares',
]
