"""Pictures of annotations, predictions and training."""

from .draw import draw_instances
from .local_visualizer import DetLocalVisualizer
from .mlflow_backend import MLflowVisBackend
from .palette import distinct_colors

__all__ = ['DetLocalVisualizer', 'MLflowVisBackend', 'distinct_colors', 'draw_instances']
