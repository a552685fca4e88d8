"""OTLP/JSON: what every sender writes, what none should, and what only an attacker would."""

import base64
import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from monitorx.backend.batch import Signal
from monitorx.backend.decode import json_to_protobuf
from monitorx.backend.errors import Malformed

TRACE_ID, SPAN_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"


def request(**fields: Any) -> dict[str, Any]:
    whole = {"traceId": TRACE_ID, "spanId": SPAN_ID, "name": "n", **fields}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [whole]}]}]}


def span(document: Any) -> Span:
    read = ExportTraceServiceRequest.FromString(json_to_protobuf(Signal.TRACES, json.dumps(document).encode()))
    return read.resource_spans[0].scope_spans[0].spans[0]


def refusal(body: bytes, signal: Signal = Signal.TRACES) -> Malformed:
    with pytest.raises(Malformed) as caught:
        json_to_protobuf(signal, body)
    return caught.value


def nested(depth: int) -> bytes:
    value = '{"arrayValue":{"values":[' * depth + '{"stringValue":"x"}' + "]}}" * depth
    span = json.dumps(request(attributes=[{"key": "d", "value": "HERE"}]))
    return span.replace('"HERE"', value).encode()


@pytest.mark.parametrize("upper", [False, True])
def test_ids_are_hexadecimal_of_either_case(upper: bool) -> None:
    written = [word.upper() if upper else word for word in (TRACE_ID, SPAN_ID)]
    read = span(request(traceId=written[0], spanId=written[1], parentSpanId=written[1]))

    assert (read.trace_id.hex(), read.span_id.hex(), read.parent_span_id.hex()) == (TRACE_ID, SPAN_ID, SPAN_ID)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("traceId", base64.b64encode(bytes(16)).decode(), id="base64"),
        pytest.param("traceId", "z" * 32, id="not hexadecimal"),
        pytest.param("traceId", "abcdef", id="short"),
        pytest.param("traceId", 5, id="a number"),
        pytest.param("spanId", SPAN_ID + "00", id="long"),
        pytest.param("spanId", "é" * 16, id="not ASCII"),
        pytest.param("parentSpanId", "abc", id="odd"),
        pytest.param("startTimeUnixNano", -1, id="negative time"),
        pytest.param("startTimeUnixNano", 1.5, id="half a nanosecond"),
        pytest.param("startTimeUnixNano", "1e3", id="an exponent in a text"),
        pytest.param("startTimeUnixNano", "0x10", id="hexadecimal time"),
        pytest.param("startTimeUnixNano", " 1", id="a blank"),
        pytest.param("startTimeUnixNano", "٣", id="digits of another script"),
        pytest.param("startTimeUnixNano", "", id="empty time"),
        pytest.param("startTimeUnixNano", True, id="a boolean"),
        pytest.param("startTimeUnixNano", 2**64, id="2^64"),
        pytest.param("startTimeUnixNano", str(2**64), id="2^64 as text"),
        pytest.param("startTimeUnixNano", "9" * 100_000, id="100,000 digits"),
        pytest.param("startTimeUnixNano", 1e300, id="very large"),
        pytest.param("droppedAttributesCount", 2**32, id="2^32"),
        pytest.param("kind", "SPAN_KIND_NONSENSE", id="no such kind"),
        pytest.param("kind", 2**31, id="kind too large"),
        pytest.param("name", 5, id="name is a number"),
        pytest.param("attributes", {}, id="attributes is an object"),
        pytest.param("attributes", [[]], id="an attribute is an array"),
        pytest.param("attributes", [None], id="an attribute is null"),
        pytest.param("attributes", [{"key": "a", "value": {"boolValue": 1}}], id="boolean is a number"),
        pytest.param("attributes", [{"key": "a", "value": {"bytesValue": "*"}}], id="not base64"),
        pytest.param("attributes", [{"key": "a", "value": {"doubleValue": "many"}}], id="a word for a number"),
        pytest.param("attributes", [{"key": "a", "value": {"doubleValue": "1_0"}}], id="a number with a line"),
        pytest.param("attributes", [{"key": "a", "value": {"intValue": str(2**63)}}], id="2^63"),
        pytest.param("status", [], id="status is an array"),
        pytest.param("events", "x", id="events is a text"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_path(field: str, value: Any) -> None:
    error = refusal(json.dumps(request(**{field: value})).encode())

    assert error.field.startswith(f"resourceSpans[0].scopeSpans[0].spans[0].{field}")
    assert error.field in str(error)
    assert len(str(error)) < 300


def test_integers_of_64_bits_are_texts_or_numbers() -> None:
    for value in ("18446744073709551615", 2**64 - 1):
        assert span(request(startTimeUnixNano=value)).start_time_unix_nano == 2**64 - 1
    assert span(request(startTimeUnixNano=1e3)).start_time_unix_nano == 1000


def test_enums_are_integers_known_or_not_and_names_too() -> None:
    assert [span(request(kind=kind)).kind for kind in (2, 77, "SPAN_KIND_SERVER", 0)] == [2, 77, 2, 0]


def test_attribute_values_of_every_type() -> None:
    values: list[Any] = [
        {"stringValue": ""},
        {"boolValue": False},
        {"intValue": str(-(2**63))},
        {"doubleValue": "-Infinity"},
        {"doubleValue": 1},
        {"bytesValue": base64.urlsafe_b64encode(b"\x00\xffhi~~").decode().rstrip("=")},
        {"kvlistValue": {"values": [{"key": "x", "value": {"boolValue": True}}]}},
        {"arrayValue": {"values": [{"intValue": 1}, {}]}},
        {},
        None,
    ]
    read = span(request(attributes=[{"key": "a", "value": value} for value in values])).attributes

    kinds = [item.value.WhichOneof("value") for item in read]
    assert kinds == [
        *("string_value", "bool_value", "int_value", "double_value", "double_value"),
        *("bytes_value", "kvlist_value", "array_value", None, None),
    ]
    assert (read[2].value.int_value, read[3].value.double_value) == (-(2**63), float("-inf"))
    assert read[5].value.bytes_value == b"\x00\xffhi~~"
    assert len(read[7].value.array_value.values) == 2


def test_null_means_default_and_empty_means_unset() -> None:
    nothing = {"traceState": None, "parentSpanId": "", "links": [], "attributes": None, "status": None}

    assert span(request(**nothing)) == span(request())


def test_what_is_unknown_is_ignored_at_every_level() -> None:
    document = request(futureField={"a": [1, {"b": None}]}, span_id="zz", trace_state=5)
    document["newTop"] = [1]
    document["resourceSpans"][0]["zzz"] = "y"
    document["resource_spans"] = "not ours"

    assert span(document) == span(request())


def test_a_point_of_zero_has_a_value() -> None:
    points = [{"asInt": "0"}, {"asDouble": 0}, {"asDouble": "NaN"}, {}]
    document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "g", "gauge": {"dataPoints": points}}]}]}]}
    body = json_to_protobuf(Signal.METRICS, json.dumps(document).encode())

    read = ExportMetricsServiceRequest.FromString(body).resource_metrics[0].scope_metrics[0].metrics[0].gauge
    assert [point.WhichOneof("value") for point in read.data_points] == ["as_int", "as_double", "as_double", None]


def test_a_log_record_without_a_span_has_empty_ids() -> None:
    record = {"traceId": "", "spanId": "", "body": {"stringValue": "hi"}, "eventName": "e"}
    document = {"resourceLogs": [{"resource": {"entityRefs": []}, "scopeLogs": [{"logRecords": [record]}]}]}
    body = json_to_protobuf(Signal.LOGS, json.dumps(document).encode())

    read = ExportLogsServiceRequest.FromString(body).resource_logs[0].scope_logs[0].log_records[0]
    assert (read.trace_id, read.span_id, read.event_name, read.body.string_value) == (b"", b"", "e", "hi")


@pytest.mark.parametrize("signal", Signal)
def test_an_empty_request_is_empty(signal: Signal) -> None:
    assert json_to_protobuf(signal, b"{}") == b""


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="array"),
        pytest.param(b'"x"', id="text"),
        pytest.param(b"7", id="number"),
        pytest.param(b"{nope", id="not JSON"),
        pytest.param(b'{"resourceSpans": [', id="cut off"),
        pytest.param(b"{}}}}", id="more behind"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
        pytest.param(b'{"resourceSpans": 5}', id="not an array"),
        pytest.param(b'{"resourceSpans":[{"schemaUrl":"\xff\xfe"}]}', id="not UTF-8"),
        pytest.param(b'{"resourceSpans":[{"schemaUrl":"\\ud800"}]}', id="half a surrogate pair"),
        pytest.param(b'{"resourceSpans":[{"schemaUrl":"\\udc00 and more text"}]}', id="the other half"),
        pytest.param(b'{"resourceSpans":[{"schemaUrl":1e999}]}', id="no double"),
        pytest.param(b'{"x":' + b"[" * 1_000_000, id="a million brackets"),
        pytest.param(b'{"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}", id="10,000 deep and unknown"),
        pytest.param(b'{"resourceSpans":[{"schemaUrl":' + b"9" * 1_000_000 + b"}]}", id="a million digits"),
        pytest.param(nested(10_000), id="a value 10,000 deep"),
        pytest.param(nested(60), id="a value deeper than protobuf reads"),
    ],
)
def test_what_is_not_otlp_is_refused_quickly(body: bytes) -> None:
    begin = time.process_time()
    error = refusal(body)

    assert time.process_time() - begin < 1.0
    assert 0 < len(str(error)) < 300


def test_twenty_levels_are_fine() -> None:
    body = json_to_protobuf(Signal.TRACES, nested(20))

    assert len(ExportTraceServiceRequest.FromString(body).resource_spans) == 1


@pytest.mark.parametrize("value", [5, "x", [], {}, [[]], [5], {"a": 1}, True, 1.5, None])
@pytest.mark.parametrize(
    "field",
    ["traceId", "name", "kind", "attributes", "status", "events", "links", "endTimeUnixNano", "droppedAttributesCount"],
)
def test_any_type_in_any_field_is_read_or_refused(field: str, value: Any) -> None:
    orderly(lambda: json_to_protobuf(Signal.TRACES, json.dumps(request(**{field: value})).encode()))


def test_unknown_and_doubled_keys_are_read_or_refused() -> None:
    many = b"{" + b",".join(b'"k%d":%d' % (number, number) for number in range(100_000)) + b"}"

    for body in (many, b'{"resourceSpans":[],"resourceSpans":[]}', json.dumps(request(name="a\x00b")).encode()):
        json_to_protobuf(Signal.TRACES, body)


def orderly(call: Callable[[], object]) -> None:
    with contextlib.suppress(Malformed):
        call()
