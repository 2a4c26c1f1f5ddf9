"""A resolved config: every name is looked up, and every contradiction is found before any job starts."""
