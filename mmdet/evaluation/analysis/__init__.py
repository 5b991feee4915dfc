"""What a test has found, beside what there is to find: where a model fails, and on what."""

from .comparison import ImageComparison, compare, mask_ious
from .confusion import confusion_matrix, row_shares
from .errors import ERRORS, ErrorAnalysis, ErrorFigures, analyse_errors
from .matching import AREAS, EVERY_AREA, Matches, match
from .precision import RECALLS, average_precision, precision_at_recalls
from .results_file import TestImages, read_results

__all__ = [
    'AREAS',
    'ERRORS',
    'EVERY_AREA',
    'RECALLS',
    'ErrorAnalysis',
    'ErrorFigures',
    'ImageComparison',
    'Matches',
    'TestImages',
    'analyse_errors',
    'average_precision',
    'compare',
    'confusion_matrix',
    'mask_ious',
    'match',
    'precision_at_recalls',
    'read_results',
    'row_shares',
]
