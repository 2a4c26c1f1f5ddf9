"""Metrics: what one answer scores."""
