"""MAPLE: what data, adapter rank and base precision do to every language of a finetuned model."""
