"""A page on which visitors look at what models find in their pictures and videos."""

from .page import build_page
from .serve import serve
from .session import Frame, Session, analyse, model_names
from .upload import Limits, Upload, UploadError, open_upload

__all__ = [
    'Frame',
    'Limits',
    'Session',
    'Upload',
    'UploadError',
    'analyse',
    'build_page',
    'model_names',
    'open_upload',
    'serve',
]
