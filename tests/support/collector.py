"""Other people's collectors as processes of their own: started, killed and started again by the test."""

import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.support.server import Server, free_port, until

CONFIGS = Path(__file__).parents[2] / "collector-config"


def otelcol() -> str:
    """The Collector's program; ask with `@pytest.mark.needs("otelcol")` first."""
    program = os.environ.get("MONITORX_OTELCOL") or shutil.which("otelcol")
    assert program, "no otelcol: set MONITORX_OTELCOL"
    return program


class Collector:
    """
    A program that receives OTLP; the same addresses and folder over restarts.

    Attributes:
        http, grpc: `127.0.0.1:PORT` of each.
    """

    def __init__(self, folder: Path, command: Sequence[str], *, http: str, grpc: str, env: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.http, self.grpc = http, grpc
        self.log = folder / "collector.log"
        self._folder, self._command, self._env = folder, command, env
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start and wait until it receives."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, cwd=self._folder, env=os.environ | self._env
            )
        until(self._receives)
        return self

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 20.0) -> None:
        """Send a signal, wait for the end."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(timeout_s)

    def kill(self) -> None:
        """kill -9."""
        self.stop(signal.SIGKILL)

    def post(self, signal_name: str, body: bytes) -> int:
        """POST binary protobuf to /v1/*signal_name*; the status, or 0 where nobody answers."""
        request = urllib.request.Request(
            f"http://{self.http}/v1/{signal_name}", body, {"content-type": "application/x-protobuf"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _receives(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()[-3000:]
        return self.post("traces", b"") == 200


def opentelemetry_collector(config: str, folder: Path, **env: str) -> Collector:
    """The OpenTelemetry Collector with *config* of collector-config/ on free ports, its queue in *folder*."""
    http, grpc, health = (f"127.0.0.1:{free_port()}" for _ in range(3))
    settings = {
        "COLLECTOR_HTTP": http,
        "COLLECTOR_GRPC": grpc,
        "COLLECTOR_HEALTH": health,
        "COLLECTOR_METRICS_PORT": str(free_port()),
        "COLLECTOR_DATA": str(folder / "queue"),
        **env,
    }
    return Collector(folder, [otelcol(), "--config", str(CONFIGS / config)], http=http, grpc=grpc, env=settings)


def rotel(folder: Path, *, to: str) -> Collector:
    """Rotel on free ports, sending OTLP over HTTP to *to*; ask with `@pytest.mark.needs("rotel")` first."""
    import rotel as package

    program = Path(package.__file__).parent / "rotel-agent"
    http, grpc = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    command = [str(program), "start", "--otlp-http-endpoint", http, "--otlp-grpc-endpoint", grpc]
    command += ["--exporter", "otlp", "--otlp-exporter-protocol", "http", "--otlp-exporter-endpoint", to]
    command += ["--otlp-exporter-retry-initial-backoff", "500ms", "--otlp-exporter-retry-max-backoff", "1s"]
    return Collector(folder, command, http=http, grpc=grpc, env={})


def taken(server: Server) -> dict[str, float]:
    """How many rows of each kind the running server has decoded since its start, by its own count."""
    return _rows(server, 'monitorx_decode_rows_total{kind="')


def stored(server: Server) -> dict[str, float]:
    """Likewise those that the store has: they are on disk, and the answer to their sender is on its way."""
    return _rows(server, 'monitorx_store_rows_total{kind="')


def _rows(server: Server, prefix: str) -> dict[str, float]:
    with urllib.request.urlopen(f"http://{server.api}/metrics", timeout=10) as answer:
        lines = [line.removeprefix(prefix) for line in answer.read().decode().splitlines() if line.startswith(prefix)]
    return {kind: float(value) for kind, value in (line.split('"} ') for line in lines)}


def wait_until_quiet(server: Server, for_s: float) -> None:
    """Return when nothing has come for *for_s*, which is longer than a collector waits between two tries."""
    last, since = taken(server), time.monotonic()
    while time.monotonic() - since < for_s:
        time.sleep(0.2)
        if (now := taken(server)) != last:
            last, since = now, time.monotonic()
