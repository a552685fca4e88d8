"""A real influxd 1.x as a process of the test: a folder and ports of its own, nothing reported to anybody."""

import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from tests.support.server import free_port, until


class Influxd:
    """
    `influxd`, started and ended by the test; the same port and folder over restarts.

    Attributes:
        port: Where it answers HTTP, on 127.0.0.1.
    """

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._rpc_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Of its HTTP side."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, timeout_s: float = 30.0) -> Self:
        """Start and wait until it answers."""
        program = shutil.which("influxd")
        assert program, "influxd is not on the PATH"
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "influxdb.conf"
        config.write_text("reporting-disabled = true\n")
        settings = {
            "REPORTING_DISABLED": "true",
            "BIND_ADDRESS": f"127.0.0.1:{self._rpc_port}",
            "META_DIR": str(self.folder / "meta"),
            "DATA_DIR": str(self.folder / "data"),
            "DATA_WAL_DIR": str(self.folder / "wal"),
            "HTTP_BIND_ADDRESS": f"127.0.0.1:{self.port}",
            "HTTP_LOG_ENABLED": "false",
            "MONITOR_STORE_ENABLED": "false",
        }
        environment = os.environ | {f"INFLUXDB_{name}": value for name, value in settings.items()}
        with (self.folder / "influxd.log").open("ab") as log:
            self._process = subprocess.Popen([program, "-config", str(config)], stdout=log, stderr=log, env=environment)
        until(self._is_up, timeout_s)
        return self

    def stop(self, timeout_s: float = 30.0) -> None:
        """End it and wait. Safe twice."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout_s)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "influxd.log").read_text()[-3000:]
        try:
            with urllib.request.urlopen(f"{self.url}/ping", timeout=1) as answer:
                return bool(answer.status == 204)
        except (urllib.error.URLError, OSError):
            return False
