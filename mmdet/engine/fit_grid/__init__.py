"""Grids and input sizes that suit a data set: from its objects to settings, and what they cost."""
