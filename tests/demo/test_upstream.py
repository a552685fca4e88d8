import io
import json
import threading

import numpy as np
import pytest

from monitorx.backend.demo.story import FEATURES, SHIFTED_FEATURE
from monitorx.backend.demo.upstream import (
    COLUMN,
    FEATURE,
    MEASUREMENT_ERROR,
    ROWS_A_REQUEST,
    SHIFT,
    Upstream,
    line,
    start_writing,
    tumours,
)

ROWS = np.arange(1.0, 31.0).reshape(10, 3)


def test_rows_are_those_that_it_was_given_measured_anew() -> None:
    rows = Upstream(ROWS, np.random.default_rng(1)).request()

    assert rows.shape == (ROWS_A_REQUEST, 3)
    nearest = ROWS[np.abs(rows[:, :1] - ROWS[:, 0]).argmin(axis=1)]
    assert np.abs(rows / nearest - 1).max() < 6 * MEASUREMENT_ERROR


def test_a_shift_moves_one_feature_and_no_other() -> None:
    before, after = (Upstream(ROWS, np.random.default_rng(1)) for _ in range(2))
    after.shift()

    moved = after.request() - before.request()

    np.testing.assert_allclose(moved, np.array([[0.0, SHIFT, 0.0]] * ROWS_A_REQUEST))


@pytest.mark.needs("sklearn")
def test_the_shifted_column_is_the_feature_that_is_named() -> None:
    from sklearn.datasets import load_breast_cancer

    names = load_breast_cancer().feature_names

    assert (names[COLUMN], f"x{COLUMN}", len(names)) == (FEATURE, SHIFTED_FEATURE, FEATURES)
    assert tumours().request().shape == (ROWS_A_REQUEST, FEATURES)


def test_a_line_is_one_array_of_rows() -> None:
    written = line(ROWS)

    assert (json.loads(written), written.count(b"\n"), written[-1:]) == (ROWS.tolist(), 1, b"\n")


def test_writing_ends_with_its_reader() -> None:
    pipe = BreakingPipe(lines=2)

    start_writing(Upstream(ROWS, np.random.default_rng(1)), pipe)

    assert pipe.is_closed.wait(10)
    assert [len(json.loads(each)) for each in pipe.written] == [ROWS_A_REQUEST] * 2


class BreakingPipe(io.BytesIO):
    """Takes *lines*, and then behaves as a pipe whose reader is gone."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_closed = threading.Event()
        self._lines = lines

    def write(self, data: bytes) -> int:  # type: ignore[override]  # any buffer elsewhere, bytes here
        if len(self.written) == self._lines:
            raise BrokenPipeError
        self.written.append(data)
        return len(data)

    def close(self) -> None:
        super().close()
        self.is_closed.set()
