"""Attached processes of their own: how they begin, fork and end."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, sys
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from monitorx.instrumentation import inference
from monitorx.processor.attach import attach

class Printing(MetricExporter):
    def export(self, metrics_data, timeout_millis=0, **kwargs):
        (resource,) = metrics_data.resource_metrics
        counts = {m.name: sum(getattr(p, "count", 0) or getattr(p, "value", 0) for p in m.data.data_points)
                  for m in resource.scope_metrics[0].metrics}
        same = dict(resource.resource.attributes) == dict(trace.get_tracer_provider().resource.attributes)
        print(role, resource.resource.attributes["service.name"], same, ids(resource.resource), counts, flush=True)
        return MetricExportResult.SUCCESS
    def force_flush(self, timeout_millis=0): return True
    def shutdown(self, timeout_millis=0, **kwargs): pass

seen = []
def ids(resource):
    seen.append(resource.attributes["service.instance.id"])
    return len(set(seen))

role = "parent"
attach(Printing())
attach(Printing())
trace.set_tracer_provider(TracerProvider(resource=Resource({"service.name": "shop"})))
"""


def test_the_end_of_a_process_sends_the_rest_with_the_applications_resource() -> None:
    out = run(SCRIPT + 'with inference("m", "llm"): pass\n')

    assert out == "parent shop True 1 {'ml.inference.duration': 1, 'monitorx.up': 1}\n"


def test_what_ends_meanwhile_does_not_wait_for_the_last_export() -> None:
    out = run(
        """
import atexit, threading
from monitorx.processor.attach import end_late
end_late()
others_ended = threading.Event()
atexit.register(others_ended.set)
"""
        + SCRIPT.replace("attach(Printing())", "")
        + """
class Late(Printing):
    def export(self, *args, **kwargs):
        others_ended.wait(60)
        return super().export(*args, **kwargs)
    def shutdown(self, timeout_millis=0, **kwargs):
        print("closed", others_ended.is_set(), flush=True)

attach(Late())
with inference("m", "llm"): pass
"""
    )

    assert out.splitlines() == ["parent shop True 1 {'ml.inference.duration': 1, 'monitorx.up': 1}", "closed True"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_sends_its_own_under_an_id_of_its_own() -> None:
    out = run(
        SCRIPT
        + """
from monitorx.processor import attach as module
with inference("m", "llm"): pass
module._attached[0].export_once()
with inference("m", "llm"): pass
child = os.fork()
if child:
    os.waitpid(child, 0)
else:
    role = "child"
    for _ in range(3):
        with inference("m", "llm"): pass
    module._attached[0].close()
    os._exit(0)
"""
    )

    assert out.splitlines() == [
        "parent shop True 1 {'ml.inference.duration': 1, 'monitorx.up': 1}",
        "child shop True 2 {'ml.inference.duration': 3, 'monitorx.up': 1}",
        "parent shop True 1 {'ml.inference.duration': 1, 'monitorx.up': 1}",
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("before", ["", "from monitorx.processor.attach import end_late; end_late()"])
def test_a_child_of_multiprocessing_sends_the_rest_when_it_ends(before: str) -> None:
    out = run(
        before
        + SCRIPT.replace("        print(role", "        time.sleep(0.2)  # it is waited for\n        print(role")
        + """
import multiprocessing, time
def work():
    global role
    role = "child"
    with inference("m", "llm"): pass
child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join()
"""
    )

    assert out.splitlines() == [
        "child shop True 1 {'ml.inference.duration': 1}",
        "parent shop True 1 {'monitorx.up': 1}",
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize(
    ("delivered", "calls", "said"),
    [
        pytest.param("SUCCESS", 0, [], id="nothing to say"),
        pytest.param("FAILURE", 1, [], id="nobody heard the parent"),
        pytest.param("SUCCESS", 1, ["child shop True 2 {'ml.inference.duration': 1}"], id="both"),
    ],
)
def test_the_end_of_a_child_of_multiprocessing_waits_only_for(delivered: str, calls: int, said: list[str]) -> None:
    out = run(
        SCRIPT.replace("MetricExportResult.SUCCESS", f"MetricExportResult.{delivered}")
        + f"""
import multiprocessing
from monitorx.processor import attach as module
def work():
    global role
    role = "child"
    for _ in range({calls}):
        with inference("m", "llm"): pass
module._attached[0].export_once()
child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join()
"""
    )

    assert [line for line in out.splitlines() if line.startswith("child")] == said


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_of_multiprocessing_that_attaches_itself_sends_the_rest() -> None:
    out = run(
        """
import multiprocessing
def work():
    global role, ids, seen, Printing, inference
"""
        + "".join(f"    {line}\n" for line in SCRIPT.replace("    ", "  ").strip().splitlines())
        + """
    role = "child"
    with inference("m", "llm"): pass
child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join()
"""
    )

    assert out.splitlines() == ["child shop True 1 {'ml.inference.duration': 1}"]


@pytest.mark.needs("sklearn")
@pytest.mark.parametrize(
    ("left_out", "is_watched"),
    [("", True), ("flask, monitorx_onnxruntime", True), ("flask,monitorx_sklearn", False), ("*", False)],
)
def test_attaching_watches_what_the_environment_does_not_leave_out(left_out: str, is_watched: bool) -> None:
    script = """
import sklearn.linear_model
from monitorx.processor.attach import attach
attach()
print(hasattr(sklearn.linear_model.LinearRegression.predict, "__wrapped__"))
from monitorx.instrumentation.tabular.sklearn import SklearnInstrumentor
SklearnInstrumentor().instrument()
"""

    out = run(script, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=left_out, OTEL_METRICS_EXPORTER="none")

    assert out == f"{is_watched}\n"


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"OTEL_SDK_DISABLED": "true"}, id="switched off"),
        pytest.param({"OTEL_METRICS_EXPORTER": "none"}, id="no metrics wanted"),
    ],
)
def test_it_does_not_attach_where_nothing_may_be_sent(environment: dict[str, str]) -> None:
    script = (
        "import monitorx.processor.attach as a, threading\na.attach()\nprint(a._attached, threading.active_count())"
    )

    assert run(script, **environment) == "[] 1\n"


def test_without_the_sdk_attaching_is_silent_and_nothing_heavy_is_loaded() -> None:
    script = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("opentelemetry.sdk") or name.startswith("opentelemetry.exporter"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import monitorx.instrumentation, monitorx.instrumentation.tabular.sklearn, monitorx.instrumentation.vision.onnxruntime
import monitorx.processor.attach as a
a.attach()
with monitorx.instrumentation.inference("m", "llm"): pass
heavy = {"numpy", "sklearn", "onnxruntime", "joblib", "google.protobuf", "grpc", "requests", "opentelemetry.sdk"}
print(a._attached, sorted(heavy & set(sys.modules)))
"""

    assert run(script) == "[] []\n"


def run(script: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", script], env={**clean, **environment}, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout
