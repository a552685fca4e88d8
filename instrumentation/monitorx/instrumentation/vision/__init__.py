"""Instrumentors of libraries for images and for models exported from other libraries."""
