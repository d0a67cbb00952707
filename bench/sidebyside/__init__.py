"""Runs vector-search engines side by side on one machine and reports speed at equal recall."""
