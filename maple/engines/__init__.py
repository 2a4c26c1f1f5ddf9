"""Engines that complete prompts (vLLM, transformers, copies of one), and what answers texts (endpoints, models)."""
