"""Recipes that make instruction data, and the teachers that they ask."""
