"""Event time in panes of ten seconds: what calls added up to, for rules and for the store."""

from monitorx.backend.window.group import AHEAD_NS
from monitorx.backend.window.key import OTHER
from monitorx.backend.window.latency import LatencyHistogram
from monitorx.backend.window.pane import METRIC, PANE_NS, SPAN, PaneKey, PanePartial
from monitorx.backend.window.series import Reading
from monitorx.backend.window.totals import Totals
from monitorx.backend.window.windows import KNOWN, RETURN, Bounds, Windows

__all__ = [
    "AHEAD_NS",
    "KNOWN",
    "METRIC",
    "OTHER",
    "PANE_NS",
    "RETURN",
    "SPAN",
    "Bounds",
    "LatencyHistogram",
    "PaneKey",
    "PanePartial",
    "Reading",
    "Totals",
    "Windows",
]
