"""Who else can receive OTLP: the OpenTelemetry Collector and rotel, discarding, and the Collector queueing on disk."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support.collector import otelcol
from tests.support.server import free_port, until

DISCARD = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "{address}"}}}}}}}}
exporters: {{debug: {{verbosity: basic, sampling_initial: 1, sampling_thereafter: 1000000}}}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [debug]}}
    metrics: {{receivers: [otlp], exporters: [debug]}}
"""

# The exporter's address answers nobody, so all that comes is queued, on disk, with fsync.
QUEUE = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "{address}"}}}}}}}}
extensions: {{file_storage: {{directory: "{folder}", fsync: true}}}}
exporters:
  otlp_http:
    endpoint: http://127.0.0.1:9
    retry_on_failure: {{enabled: true, initial_interval: 60s}}
    sending_queue: {{enabled: true, storage: file_storage, queue_size: 1000000, num_consumers: 1}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: panic}}}}
  extensions: [file_storage]
  pipelines:
    traces: {{receivers: [otlp], exporters: [otlp_http]}}
    metrics: {{receivers: [otlp], exporters: [otlp_http]}}
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A running receiver."""

    name: str
    address: str
    pid: int

    def cpu_s(self) -> float:
        """User and system seconds so far."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system

    def resident_mb(self) -> float:
        """Resident memory, megabytes."""
        return psutil.Process(self.pid).memory_info().rss / 1e6


def has_otelcol() -> bool:
    """Whether there is a Collector to measure against."""
    return bool(os.environ.get("MONITORX_OTELCOL") or shutil.which("otelcol"))


@contextmanager
def collector(folder: Path, *, queue: bool) -> Iterator[Peer]:
    """The Collector, queueing on disk or discarding."""
    address = f"127.0.0.1:{free_port()}"
    (folder / "queue").mkdir(parents=True, exist_ok=True)
    config = folder / "otelcol.yaml"
    config.write_text((QUEUE if queue else DISCARD).format(address=address, folder=folder / "queue"))
    with _running([otelcol(), "--config", str(config)], address, folder) as pid:
        yield Peer("Collector, queue with fsync" if queue else "Collector, discarding", address, pid)


@contextmanager
def rotel(folder: Path) -> Iterator[Peer]:
    """Rotel, discarding."""
    import rotel as package

    program = Path(package.__file__).parent / "rotel-agent"
    address, other = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    command = [str(program), "start", "--exporter", "blackhole", "--otlp-http-endpoint", address]
    with _running([*command, "--otlp-grpc-endpoint", other], address, folder) as pid:
        yield Peer("rotel, discarding", address, pid)


@contextmanager
def _running(command: list[str], address: str, folder: Path) -> Iterator[int]:
    with (folder / "peer.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until(lambda: process.poll() is None and _listens(address))
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(address: str) -> bool:
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True
