"""Engines that generate completions (vLLM, transformers, copies of one), and endpoints and models that answer texts."""
