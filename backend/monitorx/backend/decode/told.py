"""What one attribute of a span tells, found by the attribute's bytes."""

from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from monitorx.backend.decode.alias import FIELD_OF, SPAN_FIELDS, Field
from monitorx.backend.decode.attribute import cut, number, value_of

_NUMBERS: Final = frozenset({Field.INPUT_TOKENS, Field.OUTPUT_TOKENS, Field.COST, Field.BATCH_SIZE, Field.TTFT})
_MANY_VALUED: Final = frozenset({Field.COST, Field.TTFT})  # hardly ever the same twice, so not worth remembering
_LONGEST_REMEMBERED: Final = 256  # bytes of an attribute
_LIMIT: Final = 20_000
_KEY: Final = 0x0A  # how an attribute's key begins: field 1, with a length


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """
    One known attribute. Compared by identity, which makes tuples of them cheap keys.

    Attributes:
        field: Its slot.
        rank: Of several attributes for one slot the lowest rank wins.
        text, number: The value, as the slot needs it.
    """

    field: int
    rank: int
    text: str
    number: float | None


class Tellings:
    """
    A bounded cache from the bytes of an attribute to what it tells.

    When it is full it is emptied (`emptied` counts that). `fields` finds an attribute by the bytes of its key.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self.emptied = 0
        self.known: dict[bytes, Told] = {}
        self.fields = {
            _key_bytes(name): (field, rank) for name, (field, rank) in FIELD_OF.items() if field in SPAN_FIELDS
        }
        self._limit = limit

    def learn(self, raw: bytes, field: Field, rank: int) -> Told | None:
        """What *raw*, whose key stands for *field*, tells; None where it tells nothing."""
        value = value_of(KeyValue.FromString(raw).value)
        if field in _NUMBERS:
            measure = number(value)
            told = None if measure is None else Told(field, rank, "", measure)
        elif value is None or value == "" or isinstance(value, bytes | list | dict):
            told = None
        else:
            told = Told(field, rank, cut(str(value)), None)
        if told is not None and len(raw) <= _LONGEST_REMEMBERED and field not in _MANY_VALUED:
            self._remember(raw, told)
        return told

    def _remember(self, raw: bytes, told: Told) -> None:
        if len(self.known) >= self._limit:
            self.known.clear()
            self.emptied += 1
        self.known[raw] = told


def key_in(raw: bytes) -> bytes:
    """
    The bytes of an attribute's key with its tag and length.

    protobuf lets an encoder write fields in any order: most write the key first, the OpenTelemetry Collector last.
    """
    if len(raw) < 2:
        return b""
    if raw[0] == _KEY:
        return raw[: raw[1] + 2]
    if raw[1] < 128:
        return raw[raw[1] + 2 :]
    length = shift = 0  # of a value that is longer, as a varint
    for end, byte in enumerate(raw[1:6], 2):
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return raw[end + length :]
    return b""


def _key_bytes(name: str) -> bytes:
    key = name.encode()
    return bytes([_KEY, len(key)]) + key
