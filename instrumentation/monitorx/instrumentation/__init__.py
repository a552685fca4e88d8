"""
What an instrumented application imports: names for its models, and a decorator and a context manager for its own code.

Nothing heavier than the OpenTelemetry API is loaded here.
"""

from monitorx.instrumentation.identity import name_model
from monitorx.instrumentation.manual import inference, monitor_inference

__all__ = ["inference", "monitor_inference", "name_model"]
