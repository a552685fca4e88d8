"""How the server ends: by which signals, how soon, and what it leaves."""

import os
import pty
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.server import Server, until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    server = Server(tmp_path).start()

    assert server.stop(number) == 0
    assert "stopped" in server.log.read_text()


@pytest.mark.parametrize(
    "inherited",
    [pytest.param(signal.SIG_DFL, id="from a service manager"), pytest.param(signal.SIG_IGN, id="under nohup")],
)
def test_a_reload_is_said_to_change_nothing(tmp_path: Path, inherited: signal.Handlers) -> None:
    before = signal.signal(signal.SIGHUP, inherited)  # a child inherits that it is ignored
    try:
        server = Server(tmp_path).start()
    finally:
        signal.signal(signal.SIGHUP, before)
    os.kill(server.pid, signal.SIGHUP)
    until(lambda: "there is nothing to reload" in server.log.read_text())

    assert server.get("/api/v1/health")["status"] == "ok"
    assert server.stop() == 0
    assert server.log.read_text().count("SIGHUP") == 1


def test_a_server_whose_terminal_is_closed_ends_in_order(tmp_path: Path) -> None:
    ours, terminal = pty.openpty()
    server = Server(tmp_path)
    with subprocess.Popen(server.command(), stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        said = b""
        while b"ready" not in said:
            said += os.read(ours, 4096)
        os.close(ours)
        process.send_signal(signal.SIGHUP)

        assert process.wait(30) == 0


def test_a_stop_during_the_start_is_a_clean_one(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with subprocess.Popen(server.command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        until((tmp_path / "data" / "lock").exists, every_s=0.001)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=30)

    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert "ready" not in said
    with server:
        assert server.get("/api/v1/health")["status"] == "ok"


def test_half_a_request_holds_up_no_stop(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    host, port = server.http.split(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n")
        half.sendall(b"content-type: application/x-protobuf\r\n\r\nabc")
        time.sleep(0.2)  # for the server to read it

        before = time.monotonic()
        ended = server.stop()
        took_s = time.monotonic() - before

    assert ended == 0
    assert took_s < 5.0  # the grace for a request that is being answered is 10 s
