"""The way out of an attached process, with an exporter that answers as it is told."""

import threading

import pytest
from opentelemetry.trace import SpanContext, TraceFlags

from monitorx.instrumentation.inference import Inference
from monitorx.processor import aggregate, outbox
from monitorx.processor.attach import _warn_of_misspelt, interval_from
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
        pytest.param("0.1", 0.1, 0, id="the shortest"),
        pytest.param("1e-9", 5.0, 1, id="thousands of exports a second"),
        pytest.param("3600", 3600.0, 0, id="the longest"),
        pytest.param("1e10", 5.0, 1, id="longer than a thread can wait"),
    ],
)
def test_the_interval_is_within_its_range_or_the_default(
    text: str | None, seconds: float, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert interval_from(text) == seconds
    assert len(caplog.records) == warnings


def test_an_interval_that_is_not_used_is_told_and_a_long_one_cut(caplog: pytest.LogCaptureFixture) -> None:
    interval_from("1e10")
    interval_from("9" * 5000)

    assert caplog.messages == [
        "MONITORX_EXPORT_INTERVAL: '1e10' is not a number of seconds from 0.1 to 3600; 5 is used",
        f"MONITORX_EXPORT_INTERVAL: '{'9' * 59} is not a number of seconds from 0.1 to 3600; 5 is used",
    ]


def test_a_setting_that_is_misspelt_is_told(caplog: pytest.LogCaptureFixture) -> None:
    _warn_of_misspelt(["HOME", "MONITORX_FEATURE", "MONITORX_FEATURES", "MONITORX_REFERENCE_WINDOWS"])

    assert caplog.messages == ["MONITORX_FEATURE is no setting; did you mean MONITORX_FEATURES?"]


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
