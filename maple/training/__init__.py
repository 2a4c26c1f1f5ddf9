"""Finetuning, and merging of adapters into weights."""
