"""A data set of one format, written in another."""
