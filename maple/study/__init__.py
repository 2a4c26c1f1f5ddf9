"""A config, resolved: every name looked up, every contradiction found before any job starts."""
