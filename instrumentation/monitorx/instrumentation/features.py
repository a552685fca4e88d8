"""
Copies of what a model was given and gave, on their way to the fold: bounded, and cheap for the caller.

What is copied is what may change under our hands. Numbers are looked at later, on another thread. No value leaves the
process from here: a sink makes counts of them (monitorx.processor.distribution).
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, NamedTuple

from monitorx.instrumentation.boundary import is_ours

VALUES_KEPT: Final = 4_000_000  # waiting to be folded: 32 MB of doubles
VALUES_A_CALL: Final = 1_000_000  # of a larger batch rows are taken at even steps
LARGE: Final = 4_096  # values of one call, from which on the fold does not wait for its turn
LIGHT: Final = 16_384  # values that a caller may be asked to count at once
FEATURES_KEPT: Final = 100  # of a model

PACKED: Final = "?bBhHiIlLqQefd"  # the numbers that are packed, by numpy's letters

Data = Any  # Any, here and below: whatever the application passes to its model, or is given by it


class Packed(NamedTuple):
    """A small array of numbers; takes less time to make and to join than a copy of the array."""

    dtype: Any  # Any: numpy's
    shape: tuple[int, ...]
    data: bytes

    @property
    def size(self) -> int:
        """How many values."""
        return len(self.data) // int(self.dtype.itemsize)


_new = tuple.__new__  # what `Packed` calls to make one


class Intake:
    """
    Takes copies, as many as may wait.

    Attributes:
        wake: Called when the fold should come at once.
        is_light: Whether counting what waits takes a millisecond or two: few values, and all of them packed.
    """

    def __init__(self, *, capacity: int = VALUES_KEPT, values_a_call: int = VALUES_A_CALL) -> None:
        self._capacity = capacity
        self._values_a_call = values_a_call
        self.wake: Callable[[], object] = int
        self._arrays: Any = None  # Any: numpy's type of arrays, once the application has loaded it
        self.start_anew()

    def start_anew(self) -> None:
        """Forget what was counted; what waits is the parent's after a fork."""
        self.emptied()
        self._dropped: dict[str, int] = {}

    @property
    def is_light(self) -> bool:
        """See above."""
        return self._are_packed and self._waiting <= LIGHT

    def copy(self, data: Data) -> Data:
        """
        A copy of *data* that nobody changes, or None where it is not understood or too much waits. Never raises.

        Small arrays of numbers come `Packed`.
        """
        try:
            if type(data) is (self._arrays or self._ndarray()):
                size: int = data.size
                if 0 < size < LARGE and self._waiting < self._capacity:
                    self._waiting += size
                    dtype = data.dtype
                    if dtype.char in PACKED:
                        return _new(Packed, (dtype, data.shape, data.tobytes()))
                    self._are_packed = False
                    return data.copy()
                part = self._narrow(data)
                return self._large(part, part.size, lambda part, step: part[::step].copy())
            return self._copy_other(data)
        except Exception as error:
            if not is_ours(error):
                raise
            self._drop("unsupported", 1)
            return None

    def emptied(self) -> None:
        """All that waited has been taken. Races with `copy` lose a few counts, until the next time."""
        self._waiting = 0
        self._are_packed = True

    def take_dropped(self) -> dict[str, int]:
        """Values that were not copied since the last time, by reason."""
        dropped, self._dropped = self._dropped, {}
        return dropped

    def _copy_other(self, data: Data) -> Data:
        numpy: Any = sys.modules.get("numpy")  # Any: the module of the application, if it loaded one
        if numpy is not None and isinstance(data, numpy.ndarray) and not hasattr(data, "mask"):  # a memory map, say
            part = self._narrow(data)
            return self._large(part, part.size, lambda part, step: numpy.array(part[::step], subok=False))
        pandas = sys.modules.get("pandas")
        if pandas is not None and isinstance(data, pandas.DataFrame):
            part = self._narrow(data)
            return self._large(part, part.size, lambda part, step: _frame(pandas, part, step))
        if isinstance(data, list | tuple) and data and hasattr(data[0], "__len__") and not isinstance(data[0], str):
            size = len(data) * len(data[0])
            return self._large(data, size, lambda part, step: [list(row) for row in part[::step]])
        self._drop("unsupported", 1)
        return None

    def _large(self, data: Data, size: int, copied: Callable[[Data, int], Data]) -> Data:
        if self._waiting >= self._capacity:
            self._drop("buffer_full", size)
            self.wake()
            return None
        step = -(-size // self._values_a_call) or 1
        taken = copied(data, step)
        kept = size * len(taken) // max(len(data), 1)
        if kept < size:
            self._drop("buffer_full", size - kept)
        self._waiting += kept
        self._are_packed = False
        if kept >= LARGE:
            self.wake()
        return taken

    def _narrow(self, data: Data) -> Data:
        """The columns that are looked at; of a narrow array all of them."""
        if data.ndim != 2 or data.shape[1] <= FEATURES_KEPT:
            return data
        self._drop("too_many_features", len(data) * (data.shape[1] - FEATURES_KEPT))
        return (data.iloc if hasattr(data, "iloc") else data)[:, :FEATURES_KEPT]

    def _drop(self, reason: str, values: int) -> None:
        self._dropped[reason] = self._dropped.get(reason, 0) + values

    def _ndarray(self) -> Any:  # Any: as above
        numpy = sys.modules.get("numpy")
        self._arrays = getattr(numpy, "ndarray", None)
        return self._arrays


def names_of(model: object) -> Data:
    """What *model* calls its features, if it was fitted on a frame; a pipeline's first step knows. Never raises."""
    try:
        known = model.__dict__
        while "steps" in known:
            known = known["steps"][0][1].__dict__
        return known.get("feature_names_in_")
    except Exception as error:  # a model of the application's own may be anything
        if not is_ours(error):
            raise
        return None


def _frame(pandas: ModuleType, frame: Data, step: int) -> Data:
    part = frame.iloc[::step] if step > 1 else frame
    # From pandas 3 on whoever writes to a frame or its shallow copy gets one of his own then. That does not see who
    # writes to an array that the frame was made around, as callers do who use one again and again for a few rows.
    return part.copy(deep=part.size < LARGE or int(pandas.__version__.partition(".")[0]) < 3)
