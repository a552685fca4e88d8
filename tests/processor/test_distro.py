import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from monitorx.processor.distro import DEFAULTS, MonitorXDistro, fill_defaults
from monitorx.processor.identity import program_name, who

LOADER_LOG = "opentelemetry.instrumentation.auto_instrumentation._load"


def test_an_empty_environment_gets_every_default() -> None:
    environ: dict[str, str] = {}

    fill_defaults(environ)

    assert environ == {**DEFAULTS, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}


def test_what_is_set_stays() -> None:
    environ = {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}

    fill_defaults(environ)

    assert environ == {**DEFAULTS, "OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}


@pytest.mark.parametrize(
    ("command", "name"),
    [
        pytest.param(["python", "serve/app.py", "--port", "1"], "app", id="file"),
        pytest.param(["python", "-m", "pkg.serve"], "pkg.serve", id="module keeps its dots"),
        pytest.param(["python", "-X", "dev", "-W", "error", "app.py"], "app", id="options with values"),
        pytest.param(["python", "-u", "/venv/bin/gunicorn", "app:app"], "gunicorn", id="script without ending"),
        pytest.param(["python", "-c", "print()"], "", id="code"),
        pytest.param(["python", "-"], "", id="standard input"),
        pytest.param(["python"], "", id="prompt"),
        pytest.param([], "", id="embedded"),
    ],
)
def test_a_program_is_named_after_what_it_runs(command: list[str], name: str) -> None:
    assert program_name(command) == name


def test_a_service_without_a_name_is_called_as_its_program() -> None:
    found = who({}, ["python", "app.py"], {"telemetry.auto.version": "1"})

    assert found["service.name"] == "app"
    assert found["telemetry.auto.version"] == "1"


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"OTEL_SERVICE_NAME": "shop"}, id="OTEL_SERVICE_NAME"),
        pytest.param({"OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=shop"}, id="OTEL_RESOURCE_ATTRIBUTES"),
    ],
)
def test_a_service_that_has_a_name_keeps_it(environ: dict[str, str]) -> None:
    assert "service.name" not in who(environ, ["python", "app.py"], {})


def test_an_instance_id_is_given_unless_the_environment_has_one() -> None:
    assert len(who({}, [], {})["service.instance.id"]) == 36
    assert who({"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=till-3"}, [], {}) == {}


class Seen:
    """Stands for an official instrumentor that imports its library when it loads."""

    loaded = 0

    def instrument(self, **kwargs: object) -> None:
        type(self).loaded += 1


class ModuleEntryPoint:
    """An entry point of the given module; loading it gives `Seen`."""

    name = "official"

    def __init__(self, module: str) -> None:
        self.module = module

    def load(self) -> type[Seen]:
        if self.module.endswith("broken"):
            raise ImportError("broken")
        return Seen


@pytest.fixture
def distro(monkeypatch: pytest.MonkeyPatch) -> Iterator[MonitorXDistro]:
    monkeypatch.setattr(Seen, "loaded", 0)
    monkeypatch.setenv("ANTHROPIC_OPEN_TELEMETRY", "x")
    monkeypatch.delenv("ANTHROPIC_OPEN_TELEMETRY")
    yield MonitorXDistro()
    sys.modules.pop("anthropic", None)


def test_an_eager_instrumentor_waits_for_its_library(
    distro: MonitorXDistro, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := tmp_path / "anthropic").mkdir()  # type: ignore[operator]  # tmp_path is a Path
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))

    distro.load_instrumentor(ModuleEntryPoint("opentelemetry.instrumentation.genai.anthropic"))  # type: ignore[arg-type]  # as much of an EntryPoint as is read
    before = Seen.loaded
    __import__("anthropic")

    assert (before, Seen.loaded) == (0, 1)
    assert os.environ["ANTHROPIC_OPEN_TELEMETRY"] == "false"


def test_any_other_instrumentor_loads_at_once(distro: MonitorXDistro) -> None:
    distro.load_instrumentor(ModuleEntryPoint("somewhere.else"))  # type: ignore[arg-type]  # as above

    assert Seen.loaded == 1
    assert "ANTHROPIC_OPEN_TELEMETRY" not in os.environ


def test_the_idle_configurator_of_the_other_distro_is_no_news(
    distro: MonitorXDistro, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*DEFAULTS, "OTEL_EXPORTER_OTLP_PROTOCOL"):
        monkeypatch.setenv(name, "none")
    distro.configure()
    logger = logging.getLogger(LOADER_LOG)

    logger.warning("Configuration of %s not loaded, %s already loaded", "configurator", "monitorx")
    logger.warning("Configuration of %s not loaded, %s already loaded", "vendor", "monitorx")
    logger.warning("plain words")

    assert [record.args for record in caplog.records] == [("vendor", "monitorx"), ()]


def test_the_module_imports_without_the_sdk() -> None:
    hidden = "import sys; sys.modules['opentelemetry.sdk'] = None; sys.modules['opentelemetry.exporter'] = None; "
    words = "import monitorx.processor.distro as d, os; d.MonitorXDistro().configure(); "
    last = "d.MonitorXConfigurator().configure(); print([n for n in os.environ if n.startswith('OTEL_')])"

    done = subprocess.run([sys.executable, "-c", hidden + words + last], capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "[]\n",
        "no telemetry is sent: pip install 'monitorx[sdk]' brings the OpenTelemetry SDK\n",
    )


def test_the_entry_points_name_what_is_here() -> None:
    for group in ("opentelemetry_distro", "opentelemetry_configurator"):
        class_name = {"opentelemetry_distro": "MonitorXDistro"}.get(group, "MonitorXConfigurator")
        assert EntryPoint("monitorx", f"monitorx.processor.distro:{class_name}", group).load().__name__ == class_name
