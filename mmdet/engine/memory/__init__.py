"""Memory: what a batch that does not fit ends with, and the largest that does."""
