"""A trained model in use: from pictures to instances, with mmdetection 3.x's names."""

from .det_inferencer import DetInferencer
from .detector import Detector, augmented, init_detector, load_detector
from .inference import infer, inference_detector, inference_pipeline
from .predict import predict
from .prediction import Prediction
from .sources import open_source
from .tiles import infer_tiled

__all__ = [
    'DetInferencer',
    'Detector',
    'Prediction',
    'augmented',
    'infer',
    'infer_tiled',
    'inference_detector',
    'inference_pipeline',
    'init_detector',
    'load_detector',
    'open_source',
    'predict',
]
