"""Typed records of the files in config/, and how they are read."""
