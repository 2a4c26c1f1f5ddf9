"""Engines that generate completions: vLLM, transformers, copies of one engine; endpoints and models that answer texts."""
