"""A trained model in use: from pictures to instances, with mmdetection 3.x's names."""

from .detector import augmented, init_detector, load_detector
from .inference import infer, inference_detector, inference_pipeline
from .predict import predict
from .prediction import Prediction
from .tiles import infer_tiled

__all__ = [
    'Prediction',
    'augmented',
    'infer',
    'infer_tiled',
    'inference_detector',
    'inference_pipeline',
    'init_detector',
    'load_detector',
    'predict',
]
