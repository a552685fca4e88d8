"""Python lists and numpy arrays to the Arrow columns of a batch."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from monitorx.backend.batch import COUNTS, SCHEMAS, BatchKind, ColumnBatch

Codes = npt.NDArray[np.int32]


def coded(codes: Codes, texts: Sequence[str]) -> pa.DictionaryArray:
    """A text column: row i holds texts[codes[i]], or null where the code is -1."""
    missing = codes < 0
    indices = pa.array(codes, mask=missing) if missing.any() else pa.array(codes)
    return pa.DictionaryArray.from_arrays(indices, pa.array(texts, pa.string()))


def repeated(values: Iterable[str], counts: npt.NDArray[np.int64]) -> pa.DictionaryArray:
    """A text column in which the i-th value stands counts[i] times."""
    codes, words = _numbered(values)
    return coded(np.repeat(codes, counts), words)


def chosen(values: Iterable[str | None], place: npt.NDArray[np.intp]) -> pa.DictionaryArray:
    """A text column in which row i holds the place[i]-th value."""
    codes, words = _numbered(values)
    return coded(codes[place], words)


def texts(values: Iterable[str | None]) -> pa.DictionaryArray:
    """A text column, one value a row."""
    return coded(*_numbered(values))


def constant(text: str, count: int) -> pa.DictionaryArray:
    """A text column that says the same in each row."""
    return coded(np.zeros(count, dtype=np.int32), [text])


def _numbered(values: Iterable[str | None]) -> tuple[Codes, list[str]]:
    """A code for each value, -1 for None, and the texts that the codes number."""
    numbers: dict[str, int] = {}
    codes = [-1 if value is None else numbers.setdefault(value, len(numbers)) for value in values]
    return np.array(codes, dtype=np.int32), list(numbers)


class Lists:
    """A column of lists of numbers, built row by row."""

    __slots__ = ("_flat", "_offsets")

    def __init__(self) -> None:
        self._flat: list[float] = []
        self._offsets: list[int | None] = []

    def add(self, values: Iterable[float]) -> None:
        """A row with *values*."""
        self._offsets.append(len(self._flat))
        self._flat.extend(values)

    def add_null(self) -> None:
        """A row without a list."""
        self._offsets.append(None)

    def column(self) -> pa.ListArray:
        """The rows so far."""
        offsets = pa.array([*self._offsets, len(self._flat)], pa.int32())
        return pa.ListArray.from_arrays(offsets, pa.array(np.array(self._flat, dtype=np.float64)), type=COUNTS)


def assemble(
    kind: BatchKind, columns: dict[str, pa.Array], count: int, keep: npt.NDArray[np.bool_] | None = None
) -> ColumnBatch:
    """A batch of *kind*; columns that are not given are null. Only the rows that *keep* marks are in it."""
    schema = SCHEMAS[kind]
    arrays = [columns[field.name] if field.name in columns else pa.nulls(count, field.type) for field in schema]
    rows = pa.RecordBatch.from_arrays(arrays, schema=schema)
    return ColumnBatch(kind, rows if keep is None else rows.filter(pa.array(keep)))
