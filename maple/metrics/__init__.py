"""Metrics: the score of an answer, or of a set of answers."""
