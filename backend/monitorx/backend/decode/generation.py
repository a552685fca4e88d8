"""A table of the series that were seen in a stretch of time: what a column needs, by row number."""

from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from monitorx.backend.decode.attribute import attributes_in, canonical
from monitorx.backend.decode.identity import hash64
from monitorx.backend.decode.label import Labels

Raw = tuple[bytes, ...]  # the attributes of a point, each as it came
_T = TypeVar("_T", Labels, str)


class StreamKey(NamedTuple):
    """What tells one metric of one sender from others (the identity of a timeseries, without its attributes)."""

    tenant: str
    resource: bytes  # canonical JSON
    scope_name: str
    scope_version: str
    scope_attributes: Raw
    name: str
    unit: str
    type: str
    temporality: str
    monotonic: bool

    def seed(self) -> bytes:
        """A hash of all of it, in which the order of the scope's attributes does not count."""
        scope = canonical(attributes_in(self.scope_attributes))
        words = (self.tenant, self.scope_name, self.scope_version, self.name, self.unit, self.type, self.temporality)
        parts = (self.resource, scope, *(word.encode() for word in words), str(self.monotonic).encode())
        return hash64(*parts).to_bytes(8, "little")


class Feature(NamedTuple):
    """What the attributes of `ml.feature.distribution` say; None where they are silent or make no sense."""

    name: str | None
    role: str
    center: float | None
    anchor: float | None
    is_anchored: bool  # anchor attributes are there: MonitorX measured it


@dataclass(slots=True)
class Stream:
    """
    The series of one StreamKey.

    Attributes:
        seed: What the identities of its series begin with.
        rows: Row by attributes. The same attributes in another order are another entry with the same row.
        by_identity: Row by the series' hash.
        overflow_row: The row of the series that takes the points for which there is no room.
    """

    key: StreamKey
    seed: bytes
    rows: dict[Raw, int] = field(default_factory=dict)
    by_identity: dict[int, int] = field(default_factory=dict)
    overflow_row: int | None = None


class Generation:
    """
    Rows of series, as columns.

    Attributes:
        previous: The table before this one; dropped when this one ends.
        admitted: Series by tenant and metric.
        entries: How much of the limit is used: streams, rows, and orders of attributes.
        series: int64, process-local number.
        identity: uint64, hash of the series.
        label, text: int32, indices into `labels` and `texts` (the attributes in JSON).
    """

    def __init__(self, born_ns: int, previous: "Generation | None" = None) -> None:
        self.born_ns = born_ns
        self.previous = previous
        self.streams: dict[StreamKey, Stream] = {}
        self.admitted: dict[tuple[str, str], int] = {}
        self.features: dict[int, Feature] = {}
        self.entries = 0
        self.size = 0
        self.series: npt.NDArray[np.int64] = np.zeros(256, dtype=np.int64)
        self.identity: npt.NDArray[np.uint64] = np.zeros(256, dtype=np.uint64)
        self.label: npt.NDArray[np.int32] = np.zeros(256, dtype=np.int32)
        self.text: npt.NDArray[np.int32] = np.zeros(256, dtype=np.int32)
        self.labels: list[Labels] = []
        self.texts: list[str] = []
        self._label_code: dict[Labels, int] = {}
        self._text_code: dict[str, int] = {}

    def add(self, series: int, identity: int, labels: Labels, text: str) -> int:
        """Append a row; its number."""
        if self.size == len(self.series):
            self._grow()
        row = self.size
        self.series[row] = series
        self.identity[row] = identity
        self.label[row] = _code(self._label_code, self.labels, labels)
        self.text[row] = _code(self._text_code, self.texts, text)
        self.size += 1
        return row

    def _grow(self) -> None:
        """Arrays are replaced, never resized in place: a thread that reads the old ones finds every row it knows."""
        room = 2 * self.size
        self.series = np.resize(self.series, room)
        self.identity = np.resize(self.identity, room)
        self.label = np.resize(self.label, room)
        self.text = np.resize(self.text, room)


def _code(codes: dict[_T, int], values: list[_T], value: _T) -> int:
    code = codes.get(value)
    if code is None:
        code = codes[value] = len(values)
        values.append(value)
    return code
