"""From ground truth to the cells that learn it; nothing here has a gradient."""

from .coverage import Coverage, Fate, grid_coverage
from .grid_assigner import GridTargets, LevelClaims, assign_grid, split_claims
from .ground_truth import GroundTruth, gather_ground_truth, locate_instances

__all__ = [
    'Coverage',
    'Fate',
    'GridTargets',
    'GroundTruth',
    'LevelClaims',
    'assign_grid',
    'gather_ground_truth',
    'grid_coverage',
    'locate_instances',
    'split_claims',
]
