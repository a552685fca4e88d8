"""Results in InfluxDB 1.x, 2.x or 3.x: written as line protocol, read back by InfluxQL."""

from monitorx.backend.storage.influxdb.address import SCHEMES, Target, parse
from monitorx.backend.storage.influxdb.measurement import MEASUREMENTS, Field, Measurement
from monitorx.backend.storage.influxdb.opening import open_store
from monitorx.backend.storage.influxdb.store import InfluxDBStore

__all__ = ["MEASUREMENTS", "SCHEMES", "Field", "InfluxDBStore", "Measurement", "Target", "open_store", "parse"]
