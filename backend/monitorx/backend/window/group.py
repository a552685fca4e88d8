"""Rows that belong together: dictionary columns and pane starts factorised into group numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from monitorx.backend.window.bucket import Ints
from monitorx.backend.window.pane import PANE_NS

AHEAD_NS = 60_000_000_000  # event time is at most this far after the arrival
_MOST_CODES = 1 << 62


@dataclass(frozen=True, slots=True)
class Groups:
    """
    Which rows share their texts and their pane.

    Attributes:
        of: The group of each row, shape (rows,).
        texts: For each group, the values of the columns; "" for null.
        starts: For each group, the start of its pane in ns, shape (groups,).
    """

    of: Ints
    texts: list[tuple[str, ...]]
    starts: list[int]


def pane_starts(times_ns: Ints, arrival_ns: int) -> tuple[Ints, int]:
    """The panes that event times fall into, and how many times had to be clamped to the arrival and a minute."""
    limit = arrival_ns + AHEAD_NS
    clamped = np.clip(times_ns, 0, limit)
    return clamped // PANE_NS * PANE_NS, int((times_ns > limit).sum())


def group(rows: pa.RecordBatch, columns: Sequence[str], starts: Ints) -> Groups:
    """Group *rows* by text *columns* and pane. One sort; texts are looked at once a group."""
    first_start = int(starts.min())
    combined = (starts - first_start) // PANE_NS
    most = int(combined.max()) + 1
    arrays = [rows.column(name) for name in columns]
    for array in arrays:
        size = len(array.dictionary) + 1
        if size == 2 and not array.indices.null_count:
            continue  # one value for all rows tells nothing apart
        if most > _MOST_CODES // size:
            combined = np.unique(combined, return_inverse=True)[1]
            most = int(combined.max()) + 1
        combined = combined * size + codes(array) + 1
        most *= size
    _, where, of = np.unique(combined, return_index=True, return_inverse=True)
    texts = list(zip(*(texts_at(array, where) for array in arrays), strict=True))
    return Groups(of, texts, starts[where].tolist())


def codes(array: pa.DictionaryArray) -> npt.NDArray[np.int64]:
    """The dictionary codes, -1 for null."""
    indices = array.indices
    if indices.null_count:
        indices = indices.fill_null(-1)
    return indices.to_numpy().astype(np.int64)  # type: ignore[no-any-return] # pyarrow has no types


def texts_at(array: pa.DictionaryArray, where: npt.NDArray[np.int64]) -> list[str]:
    """The texts in the rows *where*; "" for null."""
    coded, words = codes(array)[where], array.dictionary
    if len(words) > 2 * coded.size:  # the dictionary may be that of a whole request
        used, coded = np.unique(coded, return_inverse=True)
        words = words.take(pa.array(used, mask=used < 0))
    texts = [text or "" for text in words.to_pylist()]
    texts.append("")  # at -1, the code of null
    return [texts[code] for code in coded.tolist()]


def measures(rows: pa.RecordBatch, name: str, missing: float = 0.0) -> npt.NDArray[np.float64]:
    """A column of numbers; null, NaN and infinities become *missing*."""
    column = rows.column(name)
    values = column.to_numpy(zero_copy_only=False)
    if column.null_count == len(values):
        return np.full(len(values), missing)
    is_good = np.isfinite(values)
    return values if is_good.all() else np.where(is_good, values, missing)
