"""Attributes: bytes of OTLP `KeyValue` to Python values, and to one JSON text that does not depend on their order."""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

import msgspec
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

Value: TypeAlias = "str | bool | int | float | bytes | list[Value] | dict[str, Value] | None"

TEXT_LIMIT: Final = 1024  # characters of any text in a column; longer ones are cut
COUNT_LIMIT: Final = 128  # attributes kept in a column, as the OTel SDKs do

_JSON = msgspec.json.Encoder(order="sorted")


def value_of(message: AnyValue) -> Value:
    """A plain value; None for an empty one. The parser has bounded the depth."""
    which = message.WhichOneof("value")
    if which == "array_value":
        return [value_of(item) for item in message.array_value.values]
    if which == "kvlist_value":
        return {item.key: value_of(item.value) for item in message.kvlist_value.values}
    if which is None or which == "string_value_strindex":  # an index into a table that only profiles carry
        return None
    value: Value = getattr(message, which)
    return value


def attributes_of(items: Iterable[KeyValue]) -> dict[str, Value]:
    """Attributes by key. A key that comes twice, which OTLP forbids, keeps its last value."""
    return {item.key: value_of(item.value) for item in items}


def attributes_in(raw: Iterable[bytes]) -> dict[str, Value]:
    """The same, from the bytes of each."""
    return attributes_of(map(KeyValue.FromString, raw))


def canonical(attributes: Mapping[str, Value]) -> bytes:
    """A JSON object with its keys sorted: equal for equal attributes in any order. Bytes are base64, NaN is null."""
    return _JSON.encode(attributes)


def column_text(attributes: Mapping[str, Value], text: bytes) -> str:
    """What a column holds of *attributes*, whose canonical form is *text*: the same, with long parts cut."""
    if len(text) <= TEXT_LIMIT:
        return text.decode()
    kept = sorted(attributes)[:COUNT_LIMIT]
    short = _JSON.encode({cut(name): _cut_value(attributes[name]) for name in kept})
    return short.decode()


def cut(text: str) -> str:
    """At most TEXT_LIMIT characters."""
    return text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT]


def number(value: Value) -> float | None:
    """A measure: a finite number of at least 0, also where it was written as text; None for anything else."""
    if isinstance(value, str) and len(value) <= 32:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < float("inf") else None


def _cut_value(value: Value) -> Value:
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, bytes | list | dict):
        text = _JSON.encode(value)
        return value if len(text) <= TEXT_LIMIT else cut(text.decode())
    return value
