"""Telemetry on its way out of an application: defaults for the SDK, and the metrics that MonitorX sends itself."""
