"""What people read: the page, figures, tables, model cards, and lm-eval's files."""
