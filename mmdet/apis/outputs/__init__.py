"""What is written of predictions: drawn pictures and videos, COCO's and YOLO's files, cut-outs."""

from .crops import Crops
from .data import CocoJson, YoloText
from .drawn import Drawn
from .files import Output, check_folder
from .names import Names

__all__ = ['CocoJson', 'Crops', 'Drawn', 'Names', 'Output', 'YoloText', 'check_folder']
