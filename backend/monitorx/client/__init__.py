"""
The Python client of MonitorX: tells a server of inferences and models, and asks what it knows.

    async with MonitorXClient(base_url="http://127.0.0.1:8000") as client:
        await client.register_model(ModelConfig(id="fraud", thresholds=Thresholds(latency=200, error_rate=0.05)))
        client.collect_inference_metric("fraud", latency=12.5, resources=ResourceUsage(gpu_memory=3 << 30))
"""

from monitorx.client.breaker import BreakerSettings, Circuit
from monitorx.client.client import MonitorXClient, Stats
from monitorx.client.errors import CircuitOpen, ClientError, NotOpen, Refused, Unavailable
from monitorx.client.model import ModelConfig, ModelType, ResourceUsage, Thresholds
from monitorx.client.retry import Retry
from monitorx.client.settings import ClientSettings

__all__ = [
    "BreakerSettings",
    "Circuit",
    "CircuitOpen",
    "ClientError",
    "ClientSettings",
    "ModelConfig",
    "ModelType",
    "MonitorXClient",
    "NotOpen",
    "Refused",
    "ResourceUsage",
    "Retry",
    "Stats",
    "Thresholds",
    "Unavailable",
]
