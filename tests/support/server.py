"""The real server as a process of its own, on free ports and a folder of the test."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(claim: Any, timeout_s: float = 60.0, every_s: float = 0.05) -> Any:
    """What *claim* answers once it is true; AssertionError with its last answer after *timeout_s*."""
    deadline = time.monotonic() + timeout_s
    answer = None
    while time.monotonic() < deadline:
        if answer := claim():
            return answer
        time.sleep(every_s)
    raise AssertionError(f"not true after {timeout_s} s: {claim}; last answer {answer!r}")


class Server:
    """
    `python -m monitorx.server`, started and ended by the test; the same ports and folder over restarts.

    Attributes:
        http, grpc, api: `127.0.0.1:PORT` of each.
    """

    def __init__(self, folder: Path, *, config: str | None = None, env: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.http, self.grpc, self.api = (f"127.0.0.1:{free_port()}" for _ in range(3))
        self.log = folder / "server.log"
        self._env = env or {}
        self._config: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        if config is not None:
            self._config = folder / "rules.yaml"
            self._config.write_text(config)

    def command(self) -> list[str]:
        """What is run."""
        line = [sys.executable, "-m", "monitorx.server", "--data-dir", str(self.folder / "data")]
        line += ["--otlp-http", self.http, "--otlp-grpc", self.grpc, "--api", self.api]
        return line + (["--config", str(self._config)] if self._config else [])

    def start(self, timeout_s: float = 60.0) -> Self:
        """Start and wait until it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, cwd=self.folder, env=os.environ | self._env
            )
        until(self._is_ready, timeout_s)
        return self

    @property
    def pid(self) -> int:
        """Of the running server."""
        assert self._process is not None
        return self._process.pid

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 30.0) -> int:
        """Send a signal, wait for the end; the exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self._process.wait(timeout_s)

    def kill(self) -> None:
        """kill -9."""
        self.stop(signal.SIGKILL)

    def get(self, path: str) -> Any:
        """The JSON answer of the REST API."""
        with urllib.request.urlopen(f"http://{self.api}{path}", timeout=30) as answer:
            return json.load(answer)

    def post(
        self, signal_name: str, body: bytes, *, content_type: str = "application/x-protobuf", **headers: str
    ) -> int:
        """POST to the OTLP/HTTP receiver; the status."""
        request = urllib.request.Request(
            f"http://{self.http}/v1/{signal_name}", body, {"content-type": content_type, **headers}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(f"http://{self.api}/readyz", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
