"""Typed records of the files of config/, and how they are read."""
