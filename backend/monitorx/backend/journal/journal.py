"""The journal's port: what is appended is durable before anybody is told so, and can be read again in order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from monitorx.backend.batch import Signal


@dataclass(frozen=True, slots=True)
class Record:
    """
    One acknowledged request.

    Attributes:
        signal: What the body carries.
        tenant: Whose it is.
        arrival_ns: When it came, ns since epoch.
        body: Binary protobuf, uncompressed.
        keys: uint64, shape (n,): the identities of its items, readable without the body.
    """

    signal: Signal
    tenant: str
    arrival_ns: int
    body: bytes
    keys: npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Keys:
    """The identities that one record carried, read back without its body."""

    position: int
    arrival_ns: int
    keys: npt.NDArray[np.uint64]


class Journal(Protocol):
    """
    An append-only log of records. Positions are opaque, ordered within a partition, and start above 0.

    `append` returns at once; `done` is called exactly once for each record, from the journal's own thread and in the
    order of positions: with (position, None) when the record is on disk, or with (0, error) when it could not be
    written (`StorageError`). A refusal needs no disk and is told before `append` returns, in the caller's thread:
    `Overloaded` where too much waits, `TooLarge`, `StorageError` once closed. After an error later appends may succeed.
    """

    def append(self, record: Record, done: Callable[[int, Exception | None], None]) -> None: ...

    def read(self, after: int) -> Iterator[tuple[int, Record]]:
        """All records with a position greater than *after* that were durable when the call began, in order."""
        ...

    def record(self, position: int) -> Record | None:
        """The record at *position*, or None where retention has taken it."""
        ...

    def keys(self, since_ns: int, upto: int) -> Iterator[Keys]:
        """Identities of the records that arrived at or after *since_ns* and lie at or before *upto*."""
        ...

    def trim(self, before_ns: int, upto: int) -> int:
        """Delete whole segments older than *before_ns* that lie wholly at or before *upto*; bytes freed."""
        ...

    def end(self) -> int:
        """The last durable position; 0 in an empty journal."""
        ...

    def close(self) -> None:
        """Make what was appended durable, then release the files. Safe twice."""
        ...
