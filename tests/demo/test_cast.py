import ast

import pytest

from monitorx.backend.demo.cast import Ports, examples_folder, script_environ, unbiased


@pytest.mark.parametrize("name", ["tabular.py", "vision.py", "chat.py", "chat_server.py"])
def test_the_scripts_know_nothing_of_telemetry(name: str) -> None:
    tree = ast.parse((examples_folder() / name).read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert imported
    assert not [name for name in imported if name.startswith(("monitorx", "opentelemetry"))]


def test_scripts_talk_to_the_stand_in() -> None:
    environ = script_environ(Ports(1, 2, 3, 4, 5))

    assert environ["OPENAI_BASE_URL"] == "http://127.0.0.1:4/v1"


def test_programs_are_not_led_elsewhere() -> None:
    environ = {"PATH": "/bin", "MONITORX_STORE": "other", "OTEL_EXPORTER_OTLP_ENDPOINT": "x", "HTTPS_PROXY": "y"}

    assert unbiased(environ) == {"PATH": "/bin"}
