"""From ground truth to the cells that learn it; nothing here has a gradient."""

from .grid_assigner import GridTargets, LevelClaims, assign_grid, split_claims
from .ground_truth import GroundTruth, gather_ground_truth

__all__ = [
    'GridTargets',
    'GroundTruth',
    'LevelClaims',
    'assign_grid',
    'gather_ground_truth',
    'split_claims',
]
