"""Metrics: the score of one answer, from 0 to 1."""
