"""protobuf leaves the order of fields to the encoder; the OpenTelemetry Collector writes the last field first."""

from typing import Any

import pytest
from google.protobuf.message import Message

from monitorx.backend.batch import Signal
from monitorx.backend.decode import Decoder
from monitorx.backend.decode.told import key_in
from tests.decode.build import CHAT, NOW, gauge, logs, metrics, span, traces

LONG = {f"app.note.{size}": "x" * size for size in (0, 1, 127, 128, 16_383, 16_384, 3_000_000)}
PREDICT = {"ml.operation.name": "predict", "ml.model.name": "fraud", "error.type": "E" * 200}
WORD = {"event.name": "ml.feedback", "ml.prediction.id": "p-1", "ml.feedback.score": 0.5, **LONG}


def backwards(message: Message) -> bytes:
    """*message* with the fields of every message in descending order."""
    return b"".join(_field(message, field, value) for field, value in reversed(message.ListFields()))


def _field(message: Message, field: Any, value: Any) -> bytes:  # Any: protobuf's descriptors have no types
    is_list = field.is_repeated
    if field.message_type is None:
        single = type(message)()
        if is_list:
            getattr(single, field.name).extend(value)
        else:
            setattr(single, field.name, value)
        return single.SerializeToString()
    bodies = [backwards(item) for item in (value if is_list else [value])]
    return b"".join(_varint(field.number << 3 | 2) + _varint(len(body)) + body for body in bodies)


def _varint(number: int) -> bytes:
    low, high = number & 127, number >> 7
    return bytes([low | 128]) + _varint(high) if high else bytes([low])


@pytest.mark.parametrize(
    ("signal", "request_", "kept"),
    [
        pytest.param(Signal.TRACES, traces(span({**LONG, **CHAT}), span({**PREDICT, **LONG}, 2)), 2, id="traces"),
        pytest.param(Signal.METRICS, metrics(gauge("room", [{**PREDICT, **LONG}, {}])), 2, id="metrics"),
        pytest.param(Signal.LOGS, logs({"attributes": WORD}), 1, id="logs"),
    ],
)
def test_the_order_of_fields_changes_nothing(signal: Signal, request_: Message, kept: int) -> None:
    forwards = Decoder().decode(signal, request_.SerializeToString(), tenant="t", arrival_ns=NOW)
    reverse = Decoder().decode(signal, backwards(request_), tenant="t", arrival_ns=NOW)

    assert [batch.rows.num_rows for batch in reverse.batches] == [kept]
    assert [batch.rows.to_pylist() for batch in reverse.batches] == [
        batch.rows.to_pylist() for batch in forwards.batches
    ]


@pytest.mark.parametrize("raw", [b"", b"\x12", b"\x12\x00", b"\x12\xff\xff\xff\xff\xff\x01", b"\x18\x01"])
def test_an_attribute_without_a_key_has_none(raw: bytes) -> None:
    assert key_in(raw) == b""
