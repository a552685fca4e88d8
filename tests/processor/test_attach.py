"""The way out of an attached process, with an exporter that answers as it is told."""

import os
import subprocess
import sys
import threading

import pytest
from opentelemetry.trace import SpanContext, TraceFlags

from monitorx.instrumentation.inference import Inference
from monitorx.processor import aggregate, outbox
from monitorx.processor.attach import interval_from
from tests.processor.process import POINT, SECOND_NS, SUBJECT, Process


def test_an_interval_is_delta_histograms_a_counter_and_the_heartbeat() -> None:
    process = Process()
    process.call(0.5, 2.0, batch_size=3)
    process.call(1.0, error_type="ValueError")

    assert process.export()

    (export,) = process.exporter.exports
    good, bad = export["ml.inference.duration"]
    assert (good.attributes, bad.attributes) == (POINT, {**POINT, "error.type": "ValueError"})
    assert (good.start_time_unix_nano, good.time_unix_nano) == (100 * SECOND_NS, 105 * SECOND_NS)
    assert (good.count, good.sum, good.scale, good.zero_count, good.min, good.max) == (2, 2.5, 5, 0, 0.5, 2.0)
    assert (good.positive.offset, len(good.positive.bucket_counts), sum(good.positive.bucket_counts)) == (-33, 65, 2)
    assert (bad.count, bad.positive.offset, bad.positive.bucket_counts) == (1, -1, [1])
    assert [(p.count, p.sum, p.attributes) for p in export["ml.inference.batch.size"]] == [(2, 6.0, POINT)]
    assert [(p.value, p.attributes) for p in export["ml.inference.samples"]] == [(6, POINT)]
    assert [(p.value, p.time_unix_nano) for p in export["monitorx.up"]] == [(1, 105 * SECOND_NS)]


def test_the_heartbeat_goes_out_without_news() -> None:
    process = Process()

    process.export()

    assert [list(export) for export in process.exporter.exports] == [["monitorx.up"]]


def test_each_interval_holds_only_its_own_calls() -> None:
    process = Process()
    process.call(1.0, 1.0)
    process.export()
    process.call(1.0)
    process.export()

    assert process.times() == [(100, 105, 2), (105, 110, 1)]


@pytest.mark.parametrize("answer", [False, OSError("refused")], ids=["failure", "exception"])
def test_a_failed_interval_is_sent_again_as_it_was(answer: bool | Exception) -> None:
    process = Process(answer)
    process.call(1.0)
    assert not process.export()
    process.call(1.0, 1.0)
    assert process.export()

    assert process.times() == [(100, 105, 1), (100, 105, 1), (105, 110, 2)]


def test_an_interval_that_is_refused_does_not_hold_up_the_rest() -> None:
    process = Process(False, False, True)
    process.call(1.0)
    process.export()
    process.call(1.0)

    assert not process.export()
    assert process.times() == [(100, 105, 1), (100, 105, 1), (105, 110, 1)]


def test_many_waiting_intervals_become_few_and_lose_nothing() -> None:
    process = Process(*[False] * 60)
    for _ in range(30):
        process.call(1.0)
        process.export()
    process.exporter.answers.clear()
    process.exporter.exports.clear()

    assert process.export()

    times = process.times()
    assert len(process.exporter.exports) == outbox.INTERVALS_KEPT
    assert times[0][0] == 100
    assert sum(count for _, _, count in times) == 30


def test_what_is_too_old_to_tell_is_dropped_and_counted() -> None:
    process = Process(False)
    process.call(1.0, 1.0)
    process.export()

    process.export(after_s=16 * 60)
    process.export()

    assert process.times() == [(100, 105, 2)]
    assert [
        (point.value, point.attributes) for export in process.exporter.exports for point in export.get(DROPPED, [])
    ] == [(2, {"monitorx.drop.reason": "too_old"})]


DROPPED = "monitorx.inferences.dropped"


def test_what_the_buffer_dropped_is_reported_once() -> None:
    process = Process(capacity=2)
    process.call(1.0, 1.0, 1.0)
    process.export()
    process.export()

    assert [[(p.value, p.attributes) for p in export.get(DROPPED, [])] for export in process.exporter.exports] == [
        [(1, {"monitorx.drop.reason": "buffer_full"})],
        [],
    ]


def test_the_newest_and_the_slowest_sampled_call_are_exemplars() -> None:
    process = Process()
    for number, (duration_s, flags) in enumerate([(0.1, 1), (0.9, 1), (5.0, 0), (0.2, 1)], start=1):
        process.now_ns += SECOND_NS
        inference = Inference(SUBJECT, process.now_ns)
        inference.duration_s = duration_s
        inference.span_context = SpanContext(number, number, is_remote=False, trace_flags=TraceFlags(flags))
        process.buffer.append(inference)

    process.export()

    (point,) = process.exporter.exports[0]["ml.inference.duration"]
    assert [(e.value, e.trace_id, e.span_id) for e in point.exemplars] == [(0.2, 4, 4), (0.9, 2, 2)]


def test_too_many_series_are_counted_under_overflow() -> None:
    interval = aggregate.Interval(0)
    for number in range(aggregate.SERIES_KEPT + 5):
        interval.of((("ml.model.name", str(number)),)).duration.record(1.0)

    assert len(interval.series) == aggregate.SERIES_KEPT + 1
    assert interval.series[aggregate.OVERFLOW].duration.count == 5
    assert interval.calls == aggregate.SERIES_KEPT + 5


def test_closing_sends_what_is_there_and_is_safe_twice() -> None:
    process = Process()
    process.attachment.start()
    process.call(1.0)

    process.attachment.close()
    process.attachment.close()

    assert [count for _, _, count in process.times()] == [1]
    assert process.exporter.shutdowns == 1


def test_stopping_begins_the_last_export_and_does_not_wait_for_it() -> None:
    process = Process()
    process.attachment.start(ends_late=True)
    process.call(1.0)
    may_answer = threading.Event()
    process.exporter.before = may_answer.wait

    process.attachment.stop()
    before = process.exporter.exports.copy(), process.exporter.shutdowns
    may_answer.set()
    process.attachment.close()

    assert (before, [count for _, _, count in process.times()]) == (([], 0), [1])
    assert process.exporter.shutdowns == 1


def test_the_thread_waits_for_its_turn_from_its_time_until_it_has_exported() -> None:
    process = Process(interval_s=0.01)
    wanted = [process.buffer.turns.is_wanted]
    exported = threading.Event()

    def see() -> None:
        wanted.append(process.buffer.turns.is_wanted)
        process.attachment.stop()
        exported.set()

    process.exporter.before = see
    process.attachment.start()
    assert exported.wait(20)
    process.attachment.close()

    assert wanted[:2] == [False, True]


def test_closing_before_the_start_is_nothing() -> None:
    process = Process()

    process.attachment.close()

    assert process.exporter.exports == []


@pytest.mark.parametrize(
    ("text", "seconds", "warnings"),
    [
        pytest.param(None, 5.0, 0, id="not set"),
        pytest.param("", 5.0, 0, id="empty"),
        pytest.param("0.5", 0.5, 0, id="half a second"),
        pytest.param("soon", 5.0, 1, id="no number"),
        pytest.param("-1", 5.0, 1, id="negative"),
        pytest.param("nan", 5.0, 1, id="nan"),
    ],
)
def test_the_interval_is_a_positive_number_or_the_default(
    text: str | None, seconds: float, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert interval_from(text) == seconds
    assert len(caplog.records) == warnings


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
def test_a_child_of_multiprocessing_sends_the_rest_when_it_ends() -> None:
    out = run(
        SCRIPT
        + """
import multiprocessing
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
        "child shop True 1 {'ml.inference.duration': 1, 'monitorx.up': 1}",
        "parent shop True 1 {'monitorx.up': 1}",
    ]


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


def test_merging_intervals_adds_every_series() -> None:
    def interval(start_ns: int, model: str) -> aggregate.Interval:
        made = aggregate.Interval(start_ns)
        made.end_ns = start_ns + 5
        made.of((("ml.model.name", model),)).duration.record(1.0)
        made.dropped = {"buffer_full": 1}
        return made

    first = interval(0, "a")
    first.merge(interval(5, "a"))
    first.merge(interval(10, "b"))

    assert (first.start_ns, first.end_ns, first.dropped) == (0, 15, {"buffer_full": 3})
    assert {point[0][1]: series.duration.count for point, series in first.series.items()} == {"a": 2, "b": 1}
