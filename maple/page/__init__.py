"""What the report's page shows, section by section, as plain data for its template and its script."""
