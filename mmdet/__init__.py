"""SOLO: instance segmentation without boxes, in the style of mmdetection 3.x."""

from importlib.metadata import PackageNotFoundError, version

from ._owners import check_owners

check_owners()

try:
    __version__ = version('mmdet-solo')
except PackageNotFoundError:  # the source tree is on the path without having been installed
    __version__ = '0+unknown'
