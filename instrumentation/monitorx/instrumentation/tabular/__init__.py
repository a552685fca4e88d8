"""Instrumentors of libraries for tabular data."""
