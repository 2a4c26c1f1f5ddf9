"""Benchmark rows, prompts, generation, answer parsing and scoring."""
