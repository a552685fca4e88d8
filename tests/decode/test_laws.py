"""Laws: what holds for any request."""

import base64
import json
import math
import threading
from typing import Any

from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from monitorx.backend.batch import Signal
from monitorx.backend.decode import Decoded, Decoder, json_to_protobuf
from tests.decode.build import CHAT, NOW, attributes, decoded, gauge, metrics, span, traces

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | TEXT | st.booleans() | INT64 | st.floats(width=64) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
KEYS = TEXT | st.sampled_from(
    ["gen_ai.request.model", "ml.model.name", "gen_ai.usage.input_tokens", "error.type", "ml.feature.name"]
)
TOLD = st.dictionaries(KEYS, VALUES, max_size=6)
TIMES = st.sampled_from([0, 1, NOW, 2**63 - 1, 2**63, 2**64 - 1])
HEX = {"trace_id", "span_id", "parent_span_id"}


@st.composite
def points(draw: st.DrawFn) -> Metric:
    metric = Metric(name=draw(TEXT), unit=draw(TEXT))
    kind = draw(st.sampled_from(["gauge", "sum", "histogram", "exponential_histogram", "summary"]))
    data = getattr(metric, kind)
    if kind not in ("gauge", "summary"):
        data.aggregation_temporality = draw(st.integers(0, 3))
    for _ in range(draw(st.integers(0, 3))):
        point = data.data_points.add(
            time_unix_nano=draw(TIMES),
            start_time_unix_nano=draw(TIMES),
            flags=draw(st.integers(0, 3)),
            attributes=attributes(draw(TOLD)),
        )
        _fill(draw, kind, point)
    return metric


def _fill(draw: st.DrawFn, kind: str, point: Any) -> None:
    counts = st.lists(st.integers(0, 2**64 - 1), max_size=4)
    if kind in ("gauge", "sum"):
        name, values = draw(st.sampled_from([("as_int", INT64), ("as_double", st.floats(width=64))]))
        if draw(st.booleans()):
            setattr(point, name, draw(values))
        return
    point.count, point.sum = draw(st.integers(0, 2**64 - 1)), draw(st.floats(width=64))
    if kind == "histogram":
        point.bucket_counts.extend(draw(counts))
        point.explicit_bounds.extend(draw(st.lists(st.floats(width=64), max_size=3)))
    elif kind == "exponential_histogram":
        point.scale = draw(st.integers(-(2**31), 2**31 - 1))
        point.positive.offset = draw(st.integers(-(2**31), 2**31 - 1))
        point.positive.bucket_counts.extend(draw(counts))
    else:
        point.quantile_values.add(quantile=0.5, value=draw(st.floats(width=64)))


@given(st.lists(points(), max_size=4), TOLD)
@settings(max_examples=40, deadline=None)
def test_any_metrics_are_decoded_and_json_says_the_same(parts: list[Metric], resource: dict[str, Any]) -> None:
    request = metrics(*parts, resource=resource)
    result = compared(Signal.METRICS, request)

    assert result.items == len(result.keys) + result.rejected
    assert result.items == sum(
        len(getattr(part, part.WhichOneof("data")).data_points) for part in parts if part.WhichOneof("data")
    )
    assert bool(result.message) == bool(result.rejected)


@given(TOLD, TOLD, TIMES, TIMES, st.integers(0, 3), st.binary(max_size=17))
@settings(max_examples=50, deadline=None)
def test_any_spans_are_decoded_and_json_says_the_same(
    told: dict[str, Any], resource: dict[str, Any], start: int, end: int, status: int, trace_state: bytes
) -> None:
    one = span({**CHAT, **told}, 1, start_time_unix_nano=start, end_time_unix_nano=end)
    one.status.code, one.trace_state = status, f"ot=th:{trace_state.hex()}"
    result = compared(Signal.TRACES, traces(one, span(told, 2), resource=resource))

    assert (result.items, len(result.keys) <= 2) == (2, True)


@given(TOLD, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_attributes_changes_no_key(told: dict[str, Any], rng: Any) -> None:
    shuffled = list(told.items())
    rng.shuffle(shuffled)
    requests = [metrics(gauge("g", [each]), resource=each) for each in (told, dict(shuffled))]
    keys = [decoded(request).keys.tolist() for request in requests]

    assert keys[0] == keys[1]


@given(st.lists(points(), max_size=4))
@settings(max_examples=20, deadline=None)
def test_what_was_seen_before_changes_no_column(parts: list[Metric]) -> None:
    body = metrics(*parts).SerializeToString()
    decoder = Decoder()
    first, again = (decoder.decode(Signal.METRICS, body, tenant="t", arrival_ns=NOW) for _ in range(2))

    assert columns(first) == columns(again)


def test_threads_agree_on_the_numbers_of_series() -> None:
    decoder = Decoder()
    parts = [gauge(f"g{name}", [{"a": number} for number in range(200)]) for name in range(5)]
    body = metrics(*parts).SerializeToString()
    seen: list[list[int]] = []

    def work() -> None:
        [batch] = decoder.decode(Signal.METRICS, body, tenant="t", arrival_ns=NOW).batches
        seen.append(batch.rows.column("series").to_pylist())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(seen) == 8
    assert all(numbers == seen[0] for numbers in seen)
    assert sorted(seen[0]) == list(range(1, 1001))


def compared(signal: Signal, request: Message) -> Decoded:
    body = json.dumps(as_json(request)).encode()
    results = [
        Decoder().decode(signal, encoded, tenant="t", arrival_ns=NOW)
        for encoded in (request.SerializeToString(), json_to_protobuf(signal, body))
    ]
    assert columns(results[0]) == columns(results[1])
    assert (results[0].items, results[0].message) == (results[1].items, results[1].message)
    return results[0]


def columns(result: Decoded) -> list[str]:
    """The rows as text, in which NaN equals NaN."""
    return [repr(batch.rows.to_pylist()) for batch in result.batches]


def as_json(message: Message) -> dict[str, Any]:
    """OTLP/JSON as a careful sender writes it; a second opinion on what we read."""
    return {field.json_name: _json(field, value) for field, value in message.ListFields()}


def _json(field: Any, value: Any) -> Any:
    if field.is_repeated:
        return [_single(field, item) for item in value]
    return _single(field, value)


def _single(field: Any, value: Any) -> Any:
    if isinstance(value, AnyValue) and value.WhichOneof("value") is None:
        return {}
    if isinstance(value, Message):
        return as_json(value)
    if isinstance(value, bytes):
        return value.hex() if field.name in HEX else base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    is_long = field.type in (field.TYPE_FIXED64, field.TYPE_SFIXED64, field.TYPE_INT64, field.TYPE_UINT64)
    return str(value) if is_long else value
