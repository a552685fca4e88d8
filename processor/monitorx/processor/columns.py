"""
What models were given and gave, as named columns of doubles.

Takes the copies that instrumentors made (monitorx.instrumentation.features); rows of many calls become one block. numpy
is the application's own: what needs it was made by it.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from monitorx.instrumentation.boundary import is_ours
from monitorx.instrumentation.features import FEATURES_KEPT, Packed
from monitorx.instrumentation.inference import Inference

NAME_LENGTH: Final = 200
INPUT, OUTPUT, SCORE = "input", "output", "score"

Array = Any  # Any, here and below: arrays and frames of the application's libraries, which are never imported here
Count = Callable[[str, int], object]  # reason, values


class Column(NamedTuple):
    """Values of one feature, float64, shape (n,)."""

    name: str
    role: str
    values: Array


def columns_of(operation: str, inferences: Sequence[Inference], drop: Count) -> Iterator[Column]:
    """All numeric columns that *inferences* of one operation carry; what is left out is told to *drop*."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        drop("unsupported", len(inferences))
        return
    for names, block in _blocks(numpy, inferences, drop):
        yield from _inputs(numpy, names, block, drop)
    outputs = [inference.output for inference in inferences if inference.output is not None]
    yield from _outputs(numpy, operation, outputs, drop)


def _blocks(numpy: Any, inferences: Sequence[Inference], drop: Count) -> Iterator[tuple[Any, Array]]:
    """Rows of the same shape and names together: (names, a two-dimensional array or a frame)."""
    alike: dict[object, tuple[Any, list[Array]]] = {}
    for inference in inferences:
        rows: Array = inference.rows
        if rows is not None:
            shape = id(inference.names), _kind(rows)
            known = alike.get(shape)
            if known is None:
                alike[shape] = inference.names, [rows]
            else:
                known[1].append(rows)
    for names, parts in alike.values():
        try:
            yield names, _joined(numpy, parts)
        except Exception as error:  # ragged rows, or whatever else an application may pass and a model refuse
            if not is_ours(error):
                raise
            drop("unsupported", len(parts))


def _kind(rows: Array) -> object:
    """What can be joined is of one kind."""
    if isinstance(rows, Packed):
        return Packed, rows.dtype, rows.shape[1:]
    if isinstance(rows, list):
        return list, len(rows[0])
    return type(rows), tuple(rows.columns) if hasattr(rows, "columns") else rows.shape[1:]


def _joined(numpy: Any, parts: list[Any]) -> Array:
    first = parts[0]
    if isinstance(first, Packed):
        return numpy.frombuffer(b"".join([part.data for part in parts]), first.dtype).reshape(-1, *first.shape[1:])
    if isinstance(first, list):
        rows = [row for part in parts for row in part]
        is_plain = not any(isinstance(value, str | bytes) for value in rows[0])
        return numpy.array(rows, dtype=numpy.float64 if is_plain else object)
    if len(parts) == 1:
        return first
    if hasattr(first, "columns"):
        return sys.modules["pandas"].concat(parts, ignore_index=True)
    return numpy.concatenate(parts)


def _inputs(numpy: Any, names: Any, block: Array, drop: Count) -> Iterator[Column]:
    if block.ndim != 2:
        drop("unsupported", block.size)
        return
    rows, width = block.shape
    if width > FEATURES_KEPT:
        drop("too_many_features", rows * (width - FEATURES_KEPT))
    known = getattr(block, "columns", names)
    is_named = known is not None and len(known) >= width
    for number in range(min(width, FEATURES_KEPT)):
        values = _numbers(numpy, block.iloc[:, number] if hasattr(block, "iloc") else block[:, number])
        if values is None:
            drop("not_numeric", rows)
            continue
        name = str(known[number])[:NAME_LENGTH] if is_named else ""
        yield Column(name or f"x{number}", INPUT, values)


def _numbers(numpy: Any, column: Array) -> Array | None:
    """*column* as float64, None and other marks of absence as NaN; None where it is no numbers."""
    try:
        if isinstance(column, numpy.ndarray):
            if column.dtype.kind in "fiub":
                return column.astype(numpy.float64)
            is_text = column.dtype.kind != "O" or any(isinstance(value, str | bytes) for value in column.tolist())
            return None if is_text else column.astype(numpy.float64)
        if column.dtype == object and any(isinstance(value, str | bytes) for value in column):
            return None
        if column.dtype.kind in "fiub" or column.dtype == object:
            return column.to_numpy(dtype=numpy.float64, na_value=numpy.nan)
    except Exception as error:  # objects that are no numbers after all
        if not is_ours(error):
            raise
        return None
    return None


def _outputs(numpy: Any, operation: str, outputs: list[Array], drop: Count) -> Iterator[Column]:
    role = OUTPUT if operation == "predict" else SCORE
    alike: dict[object, list[Array]] = {}
    for output in outputs:
        is_array = isinstance(output, Packed | numpy.ndarray)
        if is_array and len(output.shape) in (1, 2) and output.dtype.kind in "fiu":
            alike.setdefault(_kind(output), []).append(output)
        else:
            drop("unsupported", 1)
    for same in alike.values():
        block = _joined(numpy, same).astype(numpy.float64)
        if block.ndim == 1 or block.shape[1] == 1:
            yield Column(operation, role, block.reshape(-1))
        elif role == OUTPUT:
            for number in range(min(block.shape[1], FEATURES_KEPT)):
                yield Column(f"{operation}{number}", role, block[:, number])
        else:
            # Of two classes the second is the one that is looked for; of more, the surest tells most.
            yield Column(operation, role, block[:, 1] if block.shape[1] == 2 else block.max(axis=1))
