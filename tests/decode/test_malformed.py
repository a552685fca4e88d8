"""Bytes that are not OTLP, or not quite: refused in one way only."""

import json
import random

import pytest
from google.protobuf.message import Message

from monitorx.backend.batch import Signal
from monitorx.backend.decode import Decoder, json_to_protobuf
from monitorx.backend.errors import Malformed
from tests.decode.build import CHAT, NOW, gauge, logs, metrics, span, traces

FEEDBACK = {"event_name": "ml.feedback", "attributes": {"ml.prediction.id": "p", "ml.feedback.label": "fraud"}}
REQUESTS: dict[Signal, Message] = {
    Signal.TRACES: traces(span(CHAT, 1), span({"ml.model.name": "fraud"}, 2)),
    Signal.METRICS: metrics(gauge("g", [{"ml.model.name": "fraud"}, {"a": [1, {"b": 2}]}])),
    Signal.LOGS: logs(FEEDBACK, {}),
}


def refusal(signal: Signal, body: bytes) -> Malformed:
    with pytest.raises(Malformed) as caught:
        Decoder().decode(signal, body, tenant="t", arrival_ns=NOW)
    return caught.value


def nested(depth: int) -> bytes:
    def varint(number: int) -> bytes:
        return (bytes([number & 127 | 128]) + varint(number >> 7)) if number > 127 else bytes([number])

    def within(tag: int, value: bytes) -> bytes:
        return bytes([tag]) + varint(len(value)) + value

    value = b"\x0a\x01x"
    for _ in range(depth):
        value = within(0x2A, within(0x0A, value))
    attribute = within(0x4A, b"\x0a\x01d" + within(0x12, value))
    return within(0x0A, within(0x12, within(0x12, span({}).SerializeToString() + attribute)))


@pytest.mark.parametrize("signal", Signal)
def test_an_empty_body_is_an_empty_request(signal: Signal) -> None:
    result = Decoder().decode(signal, b"", tenant="t", arrival_ns=NOW)

    assert (result.body, result.batches, result.keys.tolist(), result.items) == (b"", (), [], 0)


@pytest.mark.parametrize("signal", Signal)
def test_bytes_that_are_no_request_say_how_far_they_are_readable(signal: Signal) -> None:
    whole = REQUESTS[signal].SerializeToString()

    assert refusal(signal, b"\xff" * 8).field == type(REQUESTS[signal]).__name__
    assert refusal(signal, whole[:-1]).field == type(REQUESTS[signal]).__name__


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(traces(span({"k": "QQQQ"})).SerializeToString().replace(b"QQQQ", b"\xff\xfe\xc0\x80"), id="UTF-8"),
        pytest.param(nested(5000), id="5,000 deep"),
    ],
)
def test_an_unreadable_attribute_is_named(body: bytes) -> None:
    error = refusal(Signal.TRACES, body)

    assert (error.field, "attribute" in str(error)) == ("attributes", True)


def test_twenty_levels_are_fine() -> None:
    result = Decoder().decode(Signal.TRACES, nested(20), tenant="t", arrival_ns=NOW)

    assert (result.items, result.rejected) == (1, 0)


@pytest.mark.parametrize("signal", Signal)
def test_mutated_protobuf_is_read_or_refused(signal: Signal) -> None:
    rng = random.Random(signal.value)
    decoder = Decoder()
    base = REQUESTS[signal].SerializeToString()
    outcomes = [read(decoder, signal, mutated(base, rng)) for _ in range(1000)]

    assert {"read", "refused"} == set(outcomes)


@pytest.mark.parametrize("signal", Signal)
def test_mutated_json_is_read_or_refused(signal: Signal) -> None:
    rng = random.Random(signal.value)
    base = json.dumps(JSON[signal]).encode()

    def outcome(body: bytes) -> str:
        try:
            return read(Decoder(), signal, json_to_protobuf(signal, body))
        except Malformed:
            return "refused"

    assert {"read", "refused"} == {outcome(mutated(base, rng)) for _ in range(1000)}


JSON = {
    Signal.TRACES: {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": "5B8EFFF798038103D269B633813FC60C",
                                "spanId": "EEE19B7EC3C1B174",
                                "startTimeUnixNano": "1700000000000000000",
                                "attributes": [{"key": "gen_ai.request.model", "value": {"stringValue": "m"}}],
                            }
                        ]
                    }
                ]
            }
        ]
    },
    Signal.METRICS: {
        "resourceMetrics": [
            {
                "scopeMetrics": [
                    {
                        "metrics": [
                            {"name": "g", "gauge": {"dataPoints": [{"asDouble": 1.5, "timeUnixNano": "1"}]}},
                            {
                                "name": "h",
                                "histogram": {
                                    "dataPoints": [{"count": "2", "bucketCounts": ["1", "1"], "explicitBounds": [1]}]
                                },
                            },
                        ]
                    }
                ]
            }
        ]
    },
    Signal.LOGS: {
        "resourceLogs": [{"scopeLogs": [{"logRecords": [{"eventName": "ml.feedback", "timeUnixNano": "1"}]}]}]
    },
}


def read(decoder: Decoder, signal: Signal, body: bytes) -> str:
    try:
        decoder.decode(signal, body, tenant="t", arrival_ns=NOW)
    except Malformed:
        return "refused"
    return "read"


def mutated(base: bytes, rng: random.Random) -> bytes:
    body = bytearray(base)
    for _ in range(rng.randint(1, 6)):
        way, place = rng.random(), rng.randrange(len(body))
        if way < 0.5:
            body[place] = rng.randrange(256)
        elif way < 0.75 and len(body) > 20:
            del body[place : place + rng.randint(1, 10)]
        else:
            body[place:place] = rng.randbytes(rng.randint(1, 12))
    return bytes(body)
