"""What flows between the data set, the model and the metric."""

from .det_data_sample import DetDataSample
from .masks import BitmapMasks, PackedMasks, RLEMasks

__all__ = ['BitmapMasks', 'DetDataSample', 'PackedMasks', 'RLEMasks']
