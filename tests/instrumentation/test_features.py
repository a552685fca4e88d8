"""What is copied of inputs and outputs, and what is not."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitorx.instrumentation.buffer import Buffer
from monitorx.instrumentation.features import FEATURES_KEPT, Intake, Packed, names_of
from monitorx.instrumentation.inference import Inference, Kind, Model, Subject
from tests.support.watch import Kept

SUBJECT = Subject("predict", Model("fraud"), Kind.TABULAR)


class Hostile:
    """Raises whatever it is asked."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("leave me alone")


def test_a_copy_stays_what_it_was_when_the_caller_goes_on() -> None:
    rows, lists = np.zeros((2, 2)), [[0.0, 1.0], [2.0, 3.0]]
    intake = Intake()

    copies = intake.copy(rows), intake.copy(lists)
    rows += 9
    lists[0][0] = 9.0

    assert copies[0] == Packed(np.dtype(float), (2, 2), bytes(32))
    assert copies[0].size == 4
    assert copies[1] == [[0.0, 1.0], [2.0, 3.0]]


@pytest.mark.parametrize("rows", [np.array([["a"]]), np.array([[None]]), np.array([[1j]]), np.zeros((0, 3))])
def test_an_array_that_holds_no_plain_numbers_is_copied_as_it_is(rows: Any) -> None:
    copied = Intake().copy(rows)

    assert type(copied) is np.ndarray
    assert copied is not rows
    np.testing.assert_array_equal(copied, rows)


def test_a_memory_map_is_copied_into_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.ones((2, 3)))

    copied = Intake().copy(np.load(tmp_path / "rows.npy", mmap_mode="r"))

    assert type(copied) is np.ndarray
    np.testing.assert_array_equal(copied, np.ones((2, 3)))


def test_masked_values_are_not_taken_for_values() -> None:
    intake = Intake()

    assert intake.copy(np.ma.masked_array([[1.0, 2.0]], [[True, False]])) is None
    assert intake.take_dropped() == {"unsupported": 1}


@pytest.mark.needs("pandas")
def test_a_frame_stays_what_it_was() -> None:
    import pandas

    frame = pandas.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})

    copied = Intake().copy(frame)
    frame.loc[0, "a"] = 9.0

    assert copied.to_dict("list") == {"a": [1.0, 2.0], "b": ["x", "y"]}


@pytest.mark.needs("pandas")
def test_a_frame_stays_what_it_was_when_its_buffer_is_used_again() -> None:
    import pandas

    buffer = np.zeros((2, 2))
    copied = Intake().copy(pandas.DataFrame(buffer, columns=["a", "b"], copy=False))
    buffer += 9

    assert copied.to_dict("list") == {"a": [0.0, 0.0], "b": [0.0, 0.0]}


@pytest.mark.needs("pandas")
def test_of_a_wide_frame_the_first_columns_are_taken_before_it_is_measured() -> None:
    import pandas

    wide = FEATURES_KEPT + 50
    intake = Intake(values_a_call=50 * FEATURES_KEPT)

    copied = intake.copy(pandas.DataFrame(np.zeros((50, wide)), columns=[f"c{number}" for number in range(wide)]))

    assert list(copied.columns) == [f"c{number}" for number in range(FEATURES_KEPT)]
    assert (copied.shape, intake.take_dropped()) == ((50, FEATURES_KEPT), {"too_many_features": 50 * 50})


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(None, id="nothing"),
        pytest.param(["a text", "another"], id="texts"),
        pytest.param([], id="no rows"),
        pytest.param([1.0, 2.0], id="no columns"),
        pytest.param({"a": 1}, id="dictionary"),
        pytest.param(Hostile(), id="raises"),
    ],
)
def test_what_is_not_understood_is_counted(data: object) -> None:
    intake = Intake()

    assert intake.copy(data) is None
    assert intake.take_dropped() == {"unsupported": 1}
    assert intake.take_dropped() == {}


@pytest.mark.needs("sklearn")  # brings scipy
def test_sparse_matrices_are_left_out() -> None:
    from scipy import sparse

    intake = Intake()

    assert intake.copy(sparse.csr_matrix(np.eye(3))) is None
    assert intake.take_dropped() == {"unsupported": 1}


def test_over_its_capacity_nothing_is_copied_until_it_was_emptied() -> None:
    intake = Intake(capacity=10)
    rows = np.zeros((3, 2))

    kept = [intake.copy(rows) is not None for _ in range(3)]
    intake.emptied()

    assert kept == [True, True, False]
    assert intake.take_dropped() == {"buffer_full": 6}
    assert intake.copy(rows) is not None


def test_of_a_large_batch_rows_are_taken_at_even_steps() -> None:
    intake = Intake(values_a_call=5_000)

    copied = intake.copy(np.arange(20_000.0).reshape(10_000, 2))

    np.testing.assert_array_equal(copied[:3], [[0, 1], [8, 9], [16, 17]])
    assert (copied.shape, intake.take_dropped()) == ((2_500, 2), {"buffer_full": 15_000})


def test_of_a_wide_batch_the_first_columns_are_taken() -> None:
    intake = Intake()

    copied = intake.copy(np.zeros((50, FEATURES_KEPT + 7)))

    assert (copied.shape, intake.take_dropped()) == ((50, FEATURES_KEPT), {"too_many_features": 350})


def test_a_large_copy_wakes_the_fold_and_the_fold_empties_the_intake() -> None:
    buffer = Buffer(Kept(), fold_every_s=3600)
    intake, woken = Intake(capacity=8_000), threading.Event()
    buffer.observe(intake)
    intake.wake = woken.set

    inference = Inference(SUBJECT, 0)
    inference.rows = intake.copy(np.zeros((5_000, 2)))
    buffer.append(inference)
    full = intake.copy(np.zeros((5_000, 2)))
    buffer.flush()

    assert woken.is_set()
    assert full is None
    assert intake.copy(np.zeros((1, 2))) is not None


class Estimator:
    """What a fitted estimator looks like."""

    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)


@pytest.mark.parametrize(
    ("model", "names"),
    [
        pytest.param(Estimator(feature_names_in_=["a"]), ["a"], id="fitted on a frame"),
        pytest.param(Estimator(), None, id="fitted on an array"),
        pytest.param(
            Estimator(steps=[("first", Estimator(feature_names_in_=["b"])), ("second", Estimator())]), ["b"], id="steps"
        ),
        pytest.param(Estimator(steps=[]), None, id="no steps"),
        pytest.param(3, None, id="no estimator"),
    ],
)
def test_names_are_those_the_model_was_fitted_on(model: object, names: object) -> None:
    assert names_of(model) == names
