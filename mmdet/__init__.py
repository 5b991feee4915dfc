"""SOLO: instance segmentation without boxes, in the style of mmdetection 3.x."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version('mmdet-solo')
except PackageNotFoundError:  # the source tree is on the path without having been installed
    __version__ = '0+unknown'
