"""What stops a start: one clear line each, exit code 1."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import Server


def refusal(server: Server) -> str:
    """What a start that must fail prints."""
    done = subprocess.run(server.command(), capture_output=True, text=True, timeout=30, cwd=server.folder)

    assert done.returncode == 1
    return done.stderr.strip()


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    server = Server(tmp_path)
    host, port = server.http.split(":")
    with socket.create_server((host, int(port))):
        words = refusal(server)

    assert words == f"monitorx serve: --otlp-http: {server.http} is in use by another process; choose another port"


def test_a_grpc_port_in_use_is_one_line(tmp_path: Path) -> None:
    server = Server(tmp_path)
    host, port = server.grpc.split(":")
    with socket.create_server((host, int(port))):
        words = refusal(server)

    assert words == f"monitorx serve: --otlp-grpc: {server.grpc} is in use by another process; choose another port"


def test_an_api_port_in_use_is_one_line(tmp_path: Path) -> None:
    server = Server(tmp_path)
    host, port = server.api.split(":")
    with socket.create_server((host, int(port))):
        words = refusal(server)

    assert words == f"monitorx serve: --api: {server.api} is in use by another process; choose another port"


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, not a folder")

    words = refusal(Server(tmp_path))

    assert words == f"monitorx serve: --data-dir: {tmp_path / 'data'} cannot be written: File exists"


def test_a_folder_in_use_is_one_line(tmp_path: Path) -> None:
    with Server(tmp_path) as first:
        second = Server(tmp_path)

        words = refusal(second)

        pid = first.pid
    assert words == (
        f"monitorx serve: --data-dir: {tmp_path / 'data'} is in use by another process (pid {pid}); "
        "stop it or choose another folder"
    )


BAD_RULES = """groups:
  - name: g
    rules:
      - alert: Slow
        expr: p95(latencyy[1m]) > 1
      - alert: Slow
        expr: p95(latency[90s7]) > 1
"""


@pytest.mark.parametrize("command", ["serve", "check"])
def test_bad_rules_name_file_line_key_and_what_would_be_right(tmp_path: Path, command: str) -> None:
    server = Server(tmp_path, config=BAD_RULES)
    file = tmp_path / "rules.yaml"

    if command == "serve":
        words = refusal(server)
    else:
        done = subprocess.run(
            [sys.executable, "-m", "monitorx.backend.cli", "check", str(file)], capture_output=True, text=True
        )
        assert done.returncode == 1
        words = done.stdout

    assert f"{file}:5: groups[0].rules[0].expr: " in words
    assert "latencyy" in words
    assert "did you mean latency" in words
    assert f"{file}:6: groups[0].rules[1].alert: " in words
    assert f"{file}:7: groups[0].rules[1].expr: " in words


TAKEN_NAME = """groups:
  - name: g
    rules:
      - alert: ModelLatencyHigh
        expr: p95(latency[1m]) > 1s by (model)
"""


def checked(*files: Path) -> subprocess.CompletedProcess[str]:
    """What `monitorx check` says."""
    command = [sys.executable, "-m", "monitorx.backend.cli", "check", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_check_and_serve_refuse_the_same_with_the_same_line(tmp_path: Path) -> None:
    server = Server(tmp_path, config=TAKEN_NAME)
    file = tmp_path / "rules.yaml"

    found, words = checked(file), refusal(server)

    line = (
        f"{file}:4: groups[0].rules[0].alert: ModelLatencyHigh is the name of alerts of registered models; "
        "rename the rule"
    )
    assert (found.returncode, found.stdout.strip()) == (1, line)
    assert words == f"monitorx serve: {line}"


def test_check_says_of_each_file_how_much_it_holds(tmp_path: Path) -> None:
    empty, good, bad = (tmp_path / name for name in ("empty.yaml", "good.yaml", "bad.yaml"))
    empty.write_text("")
    good.write_text(TAKEN_NAME.replace("ModelLatencyHigh", "Slow") + "route: {receiver: a}\nreceivers: [{name: a}]\n")
    bad.write_text("interval: 1m\n")

    well, ill = checked(empty, good), checked(good, bad)

    assert (well.returncode, well.stdout.splitlines()) == (
        0,
        [f"{empty}: good: 0 rules, 0 receivers", f"{good}: good: 1 rule, 1 receiver"],
    )
    assert (ill.returncode, ill.stdout.splitlines()) == (
        1,
        [f"{good}: good: 1 rule, 1 receiver", f"{bad}:1: interval: unknown key; known: groups, receivers, route"],
    )


def test_a_size_that_grpc_cannot_say_is_one_line(tmp_path: Path) -> None:
    server = Server(tmp_path)
    command = [*server.command(), "--max-body-bytes", "5000000000"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=server.folder)

    assert (done.returncode, done.stderr.strip()) == (
        1,
        "monitorx serve: --max-body-bytes: '5000000000' cannot be used: a number from 1 to 2147483647 is expected",
    )


@pytest.mark.parametrize(
    ("option", "words"),
    [
        pytest.param(
            "--api={long}",
            "--api: '{cut}...' cannot be used: HOST:PORT is expected, for example 127.0.0.1:4318 or [::1]:4318",
            id="a setting",
        ),
        pytest.param(
            "--data-dir={long}", "--data-dir: {cut}x...x cannot be written: File name too long", id="a folder"
        ),
        pytest.param("--config={long}", "{cut}x...: cannot be read: File name too long", id="a file"),
    ],
)
def test_a_value_that_fills_the_screen_is_cut(tmp_path: Path, option: str, words: str) -> None:
    command = [*Server(tmp_path).command(), option.format(long="x" * 5000)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=tmp_path)

    assert (done.returncode, done.stderr) == (1, f"monitorx serve: {words.format(cut='x' * 199)}\n")


@pytest.mark.parametrize("name", ["alerting.sqlite", "models.sqlite", "drift.sqlite", "telemetry.duckdb"])
def test_a_damaged_file_is_one_line_with_what_to_do(tmp_path: Path, name: str) -> None:
    file = tmp_path / "data" / name
    file.parent.mkdir()
    file.write_bytes(b"\xa5" * 20_000)

    words = refusal(Server(tmp_path))

    assert "\n" not in words
    assert words.startswith(f"monitorx serve: {file}")
    assert "is damaged; move it away and start again: " in words


def test_without_the_extra_no_folder_is_made(tmp_path: Path) -> None:
    program = "import sys; sys.modules['fastapi'] = None; from monitorx.backend.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "serve", "--data-dir", str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)

    assert (done.returncode, (tmp_path / "data").exists()) == (1, False)
    assert "pip install 'monitorx[backend]'" in done.stderr
