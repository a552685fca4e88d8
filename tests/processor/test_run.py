import os
import sys
from pathlib import Path

import pytest

from monitorx.processor.run import environment, loader_folder, main, resolve


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
