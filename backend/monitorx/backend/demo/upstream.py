"""
The system that asks the tabular model: tumours drawn at random, as lines of JSON on a pipe, until one feature shifts.

Rows are drawn one by one from those that scikit-learn brings, so that windows differ by chance only, and measured anew:
no value repeats exactly.
"""

import json
import threading
import time
from contextlib import suppress
from typing import IO

import numpy as np
from numpy.typing import NDArray

FEATURE, COLUMN = "mean texture", 1  # a model that was fitted on an array knows the column as x1
SHIFT = 4.0  # a little less than a standard deviation, 4.3
ROWS_A_REQUEST = 40
REQUESTS_A_SECOND = 20.0
MEASUREMENT_ERROR = 0.01  # of the value
SEED = 7


class Upstream:
    """
    Makes requests, one after the other.

    Args:
        rows: What is drawn from, float64, shape (n, features).

    Attributes:
        is_shifted: Whether one feature is `SHIFT` too high.
    """

    def __init__(self, rows: NDArray[np.float64], random: np.random.Generator) -> None:
        self._rows = rows
        self._random = random
        self.is_shifted = False

    def shift(self) -> None:
        """From now on add `SHIFT` to one feature."""
        self.is_shifted = True

    def request(self) -> NDArray[np.float64]:
        """The next rows to ask about, shape (ROWS_A_REQUEST, features)."""
        drawn = self._rows[self._random.integers(len(self._rows), size=ROWS_A_REQUEST)]
        measured: NDArray[np.float64] = drawn * self._random.normal(1.0, MEASUREMENT_ERROR, drawn.shape)
        if self.is_shifted:
            measured[:, COLUMN] += SHIFT
        return measured


def tumours() -> Upstream:
    """One over the rows of `load_breast_cancer`."""
    from sklearn.datasets import load_breast_cancer

    rows, _ = load_breast_cancer(return_X_y=True)
    return Upstream(rows, np.random.default_rng(SEED))


def start_writing(upstream: Upstream, pipe: IO[bytes]) -> None:
    """Write requests to *pipe* until its reader ends."""
    threading.Thread(target=_write, args=(upstream, pipe), name="demo-upstream", daemon=True).start()


def _write(upstream: Upstream, pipe: IO[bytes]) -> None:
    with suppress(BrokenPipeError), pipe:  # whoever ended the reader knows why
        while True:
            started_s = time.monotonic()
            pipe.write(line(upstream.request()))
            pipe.flush()
            time.sleep(max(0.0, 1 / REQUESTS_A_SECOND - (time.monotonic() - started_s)))


def line(rows: NDArray[np.float64]) -> bytes:
    r"""
    *rows* as the script reads them.

    >>> line(np.array([[1.5, 2.0], [3.0, 0.12345678]]))
    b'[[1.5, 2.0], [3.0, 0.123457]]\n'
    """
    return json.dumps(np.round(rows, 6).tolist()).encode() + b"\n"
