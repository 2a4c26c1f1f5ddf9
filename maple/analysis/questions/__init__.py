"""A study's questions, and the statistics that answer them."""
