"""
Dashboards: what is shown, in one description, and the files that Grafana reads, made out of it.

`python -m monitorx.backend.dashboard` writes the files; a test compares them with what is committed.
"""

from monitorx.backend.dashboard.description import Annotation, Dashboard, Panel, Row, Shape, Target, Variable
from monitorx.backend.dashboard.overview import MODEL_OVERVIEW

__all__ = ["MODEL_OVERVIEW", "Annotation", "Dashboard", "Panel", "Row", "Shape", "Target", "Variable"]
