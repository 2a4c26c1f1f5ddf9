"""Text in every script: segmentation, words, language identification, similarity."""
