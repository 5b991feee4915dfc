"""From ground truth to the cells that learn it; nothing here has a gradient."""

from .grid_assigner import GridTargets, assign_grid
from .ground_truth import GroundTruth, gather_ground_truth

__all__ = ['GridTargets', 'GroundTruth', 'assign_grid', 'gather_ground_truth']
