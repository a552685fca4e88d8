"""Summaries of values that add up: what an application sends in the place of its data, and what the backend merges."""

from monitorx.sketch.anchor import Anchor, choose
from monitorx.sketch.exponential import ExponentialHistogram
from monitorx.sketch.fold import fold

__all__ = ["Anchor", "ExponentialHistogram", "choose", "fold"]
