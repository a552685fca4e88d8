"""Drift: what the distribution of a feature is now against what it was when all was well."""

from monitorx.backend.detector.decision import drifted
from monitorx.backend.detector.drift import Drift, DriftSettings
from monitorx.backend.detector.finding import Detector, Effects, Finding, Status
from monitorx.backend.detector.location import RankLocationDetector
from monitorx.backend.detector.reference import FeatureKey, FittedKey, Reference, reference_of
from monitorx.backend.detector.reference_file import read as read_references
from monitorx.backend.detector.sketch import Sketch, sketch_of
from monitorx.backend.detector.state import SQLiteState

__all__ = [
    "Detector",
    "Drift",
    "DriftSettings",
    "Effects",
    "FeatureKey",
    "Finding",
    "FittedKey",
    "RankLocationDetector",
    "Reference",
    "SQLiteState",
    "Sketch",
    "Status",
    "drifted",
    "read_references",
    "reference_of",
    "sketch_of",
]
