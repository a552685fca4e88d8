import os
import sys
from pathlib import Path

import pytest

from monitorx.processor.run import USAGE, endpoint_fault, environment, loader_folder, main, port_warning, resolve


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param(["app.py", "-v"], [sys.executable, "app.py", "-v"], id="a file runs in our interpreter"),
        pytest.param(["python", "app.py"], [sys.executable, "app.py"], id="so does plain python"),
        pytest.param(["python3", "-m", "app"], [sys.executable, "-m", "app"], id="and python3"),
        pytest.param(["/usr/bin/python3", "a"], ["/usr/bin/python3", "a"], id="a path stays"),
        pytest.param(["gunicorn", "app:app"], ["gunicorn", "app:app"], id="another program stays"),
    ],
)
def test_the_interpreter_is_the_one_that_sees(command: list[str], expected: list[str]) -> None:
    assert resolve(command) == expected


def test_the_environment_loads_instrumentors_and_chooses_our_distro() -> None:
    found = environment({"HOME": "/root"}, service=None, endpoint=None, cwd="/srv")

    assert found == {
        "HOME": "/root",
        "OTEL_PYTHON_DISTRO": "monitorx",
        "OTEL_PYTHON_CONFIGURATOR": "monitorx",
        "PYTHONPATH": os.pathsep.join([loader_folder(), "/srv"]),
    }


def test_what_the_environment_says_stays_and_flags_win() -> None:
    given = {
        "OTEL_PYTHON_DISTRO": "other",
        "OTEL_SERVICE_NAME": "old",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://old:4318",
        "PYTHONPATH": os.pathsep.join(["/lib/mine", loader_folder(), "/srv"]),
    }

    found = environment(given, service="new", endpoint=None, cwd="/srv")

    assert found == {
        "OTEL_PYTHON_DISTRO": "other",
        "OTEL_PYTHON_CONFIGURATOR": "monitorx",
        "OTEL_SERVICE_NAME": "new",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://old:4318",
        "PYTHONPATH": os.pathsep.join([loader_folder(), "/lib/mine", "/srv"]),
    }


def test_the_loader_is_where_python_looks_for_it() -> None:
    assert (Path(loader_folder()) / "sitecustomize.py").exists()


def test_a_command_that_does_not_exist_is_127(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--", "no-such-program", "x"]) == 127
    assert capsys.readouterr().err == "monitorx run: 'no-such-program': command not found\n"


def test_a_file_that_is_no_program_is_126(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("hello")

    assert main([str(file)]) == 126
    assert capsys.readouterr().err == f"monitorx run: '{file}' is not executable\n"


def test_nothing_to_run_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "what is to be run? For example: monitorx run python app.py" in capsys.readouterr().err


RIGHT = "http:// or https:// and a host is expected, as in"


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        pytest.param("127.0.0.1:4318", f"'127.0.0.1:4318' cannot be used; {RIGHT} http://127.0.0.1:4318", id="address"),
        pytest.param("monitor:4318", f"'monitor:4318' cannot be used; {RIGHT} http://monitor:4318", id="name and port"),
        pytest.param("monitor", f"'monitor' cannot be used; {RIGHT} http://monitor", id="name"),
        pytest.param(
            "grpc://monitor:4317",
            f"'grpc://monitor:4317' cannot be used; {RIGHT} http://127.0.0.1:4318",
            id="another scheme",
        ),
        pytest.param("http://:4318", f"'http://:4318' cannot be used; {RIGHT} http://127.0.0.1:4318", id="no host"),
        pytest.param("http://h:43180", "", id="any port"),
        pytest.param(
            "http://h:431800", f"'http://h:431800' cannot be used; {RIGHT} http://127.0.0.1:4318", id="no port"
        ),
        pytest.param(
            "http://[::1", f"'http://[::1' cannot be used; {RIGHT} http://127.0.0.1:4318", id="half a bracket"
        ),
        pytest.param(" http://h", f"' http://h' cannot be used; {RIGHT} http://127.0.0.1:4318", id="white space"),
        pytest.param("", f"'' cannot be used; {RIGHT} http://127.0.0.1:4318", id="empty"),
        pytest.param(
            "me:key@h:4318", f"'<secret>@h:4318' cannot be used; {RIGHT} http://127.0.0.1:4318", id="credentials"
        ),
        pytest.param(
            "ftp://me:key@h", f"'ftp://<secret>@h' cannot be used; {RIGHT} http://127.0.0.1:4318", id="and a scheme"
        ),
        pytest.param("https://me:key@h/otlp", "", id="https, credentials and a path"),
        pytest.param("HTTP://[::1]:4318/", "", id="IPv6 and capitals"),
    ],
)
def test_an_endpoint_is_an_http_address(endpoint: str, words: str) -> None:
    assert endpoint_fault(endpoint) == (words and f"--endpoint: {words}")


def test_an_endpoint_that_cannot_be_one_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--endpoint", "127.0.0.1:4318", "no-such-program"]) == 2
    assert capsys.readouterr().err == (
        f"usage: {USAGE}\nmonitorx run: --endpoint: '127.0.0.1:4318' cannot be used; {RIGHT} http://127.0.0.1:4318\n"
    )


WARNING = (
    "warning: OTLP goes to {} over http/protobuf, and 4317 is the usual port of OTLP/gRPC; "
    "HTTP is usually taken on 4318 (or set OTEL_EXPORTER_OTLP_PROTOCOL=grpc)"
)


@pytest.mark.parametrize(
    ("endpoint", "given", "shown"),
    [
        pytest.param("http://h:4317", {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "http://h:4317", id="HTTP"),
        pytest.param("http://h:4317", {}, "http://h:4317", id="HTTP by default"),
        pytest.param("http://me:key@h:4317", {}, "http://<secret>@h:4317", id="credentials"),
        pytest.param("http://h:4317", {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "", id="gRPC"),
        pytest.param("http://h:4317", {"OTEL_PYTHON_DISTRO": "distro"}, "", id="another distro, whose default is gRPC"),
        pytest.param("http://h:4318", {}, "", id="the port of HTTP"),
        pytest.param("http://h", {}, "", id="no port"),
        pytest.param("h:4317", {}, "", id="no address, from the environment"),
        pytest.param(None, {}, "", id="none"),
    ],
)
def test_http_to_the_port_of_grpc_is_warned_of(endpoint: str | None, given: dict[str, str], shown: str) -> None:
    given = given if endpoint is None else {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **given}

    assert port_warning(environment(given, service=None, endpoint=None, cwd="/srv")) == (
        shown and WARNING.format(shown)
    )
