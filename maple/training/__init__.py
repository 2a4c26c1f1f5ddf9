"""Finetuning, and folding what was learnt into the weights."""
