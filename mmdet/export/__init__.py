"""A detector for other programs: ONNX, torch.export and OpenVINO files, and back from them.

From a trained detector to a file: `network.py` and `drawing.py` (the graph), `raw.py` (the heads
alone), `metadata.py` (what the file says of itself), `formats.py` (how it is written). From a file
to a detector: `runtimes.py`, `detector.py`.
"""

from .detector import ExportedDetector
from .formats import ExportSettings, export_detector
from .metadata import Metadata
from .runtimes import FORMATS, is_exported

__all__ = [
    'FORMATS',
    'ExportSettings',
    'ExportedDetector',
    'Metadata',
    'export_detector',
    'is_exported',
]
