"""Summaries of values that add up: what an application sends in the place of its data, and what the backend merges."""

from monitorx.sketch.exponential import ExponentialHistogram

__all__ = ["ExponentialHistogram"]
