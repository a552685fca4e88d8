"""The vocabulary of MonitorX on the wire: attribute, metric and event names, under one schema URL."""

from monitorx.semconv import attributes, events, metrics

SCHEMA_URL = "https://monitorx.dev/schemas/0.1.0"

__all__ = ["SCHEMA_URL", "attributes", "events", "metrics"]
