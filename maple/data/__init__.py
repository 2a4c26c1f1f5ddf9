"""Instruction data: sources, curation, contamination, mixing."""
