"""What is written of predictions: drawn pictures and videos, COCO's and YOLO's files, cut-outs."""

from .crops import Crops
from .data import CocoJson, YoloText
from .drawn import Drawn
from .files import Output
from .names import FlatNames, Names
from .video import VideoWriter

__all__ = ['CocoJson', 'Crops', 'Drawn', 'FlatNames', 'Names', 'Output', 'VideoWriter', 'YoloText']
