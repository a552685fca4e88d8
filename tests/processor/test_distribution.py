"""Inputs and scores on their way to counts."""

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitorx.instrumentation.features import FEATURES_KEPT
from monitorx.instrumentation.inference import Inference, Kind, Model, Subject
from monitorx.processor.columns import columns_of
from monitorx.processor.distribution import PATIENCE_NS, Distribution, Distributions
from monitorx.processor.reference import anchors_from
from monitorx.sketch import Anchor, choose, fold

SUBJECT = Subject("predict", Model("fraud", "3"), Kind.TABULAR)
MODEL = (("ml.model.name", "fraud"), ("ml.model.version", "3"), ("ml.model.kind", "tabular"))
RANDOM = np.random.default_rng(0)


def point(name: str, role: str = "input") -> tuple[tuple[str, str], ...]:
    return (*MODEL, ("ml.feature.name", name), ("ml.feature.role", role))


def call(rows: Any, names: Any = None, output: Any = None) -> Inference:
    inference = Inference(SUBJECT, 0, None if rows is None else len(rows))
    inference.rows, inference.names, inference.output = rows, names, output
    return inference


def columns(*calls: Inference, operation: str = "predict") -> tuple[list[tuple[str, str, list[float]]], dict[str, int]]:
    dropped: dict[str, int] = {}

    def drop(reason: str, values: int) -> None:
        dropped[reason] = dropped.get(reason, 0) + values

    return [(name, role, values.tolist()) for name, role, values in columns_of(operation, calls, drop)], dropped


@pytest.mark.needs("pandas")
def test_objects_in_a_frame_are_numbers_where_they_are_in_an_array() -> None:
    import pandas

    frame = pandas.DataFrame(
        {
            "age": pandas.Series([1, None], dtype=object),
            "is_new": pandas.Series([True, pandas.NA], dtype=object),
            "digits": pandas.Series(["1", 2], dtype=object),
            "kind": pandas.Categorical([1, 2]),
            "when": pandas.to_datetime(["2026-01-01", "2026-01-02"]),
        }
    )

    found, dropped = columns(call(frame))

    np.testing.assert_equal(found, [("age", "input", [1, math.nan]), ("is_new", "input", [1, math.nan])])
    assert dropped == {"not_numeric": 6}


@pytest.mark.needs("pandas")
def test_a_column_without_a_name_is_called_by_its_place() -> None:
    import pandas

    found, _ = columns(call(pandas.DataFrame([[1.0, 2.0]], columns=["a", ""])))

    assert found == [("a", "input", [1]), ("x1", "input", [2])]


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        pytest.param(
            [call(np.array([[1, 2]])), call(np.array([[3, 4], [5, 6]]))],
            [("x0", "input", [1, 3, 5]), ("x1", "input", [2, 4, 6])],
            id="arrays of one width",
        ),
        pytest.param(
            [call([[1, 2]]), call([[True, 4.5]])],
            [("x0", "input", [1, 1]), ("x1", "input", [2, 4.5])],
            id="lists",
        ),
        pytest.param(
            [call(np.array([[1.0]]), ["age"]), call(np.array([[1.0, 2.0]]), ["age"])],
            [("age", "input", [1]), ("x0", "input", [1]), ("x1", "input", [2])],
            id="names only where there are enough",
        ),
        pytest.param(
            [call(np.array([[1, "a", None], [2, "b", 4.5]], dtype=object))],
            [("x0", "input", [1, 2]), ("x2", "input", [math.nan, 4.5])],
            id="objects",
        ),
    ],
)
def test_rows_become_named_columns(calls: list[Inference], expected: list[tuple[str, str, list[float]]]) -> None:
    found, _ = columns(*calls)

    np.testing.assert_equal(found, expected)


@pytest.mark.needs("pandas")
def test_columns_of_a_frame_have_its_names_and_text_is_left_out() -> None:
    import pandas

    frame = pandas.DataFrame(
        {"age": pandas.array([1, None], dtype="Int64"), "city": ["x", "y"], "is_new": [True, False]}
    )

    found, dropped = columns(call(frame), call(frame))

    np.testing.assert_equal(found, [("age", "input", [1, math.nan] * 2), ("is_new", "input", [1, 0] * 2)])
    assert dropped == {"not_numeric": 4}


@pytest.mark.parametrize(
    ("operation", "output", "expected"),
    [
        pytest.param("predict", np.array([1.5, 2.5]), [("predict", "output", [1.5, 2.5])], id="regression"),
        pytest.param(
            "predict",
            np.array([[1.0, 2.0]]),
            [("predict0", "output", [1]), ("predict1", "output", [2])],
            id="two targets",
        ),
        pytest.param("predict_proba", np.array([[0.25, 0.75]]), [("predict_proba", "score", [0.75])], id="two classes"),
        pytest.param("predict_proba", np.array([[0.2, 0.5, 0.3]]), [("predict_proba", "score", [0.5])], id="three"),
        pytest.param("decision_function", np.array([-3.0]), [("decision_function", "score", [-3.0])], id="decision"),
    ],
)
def test_outputs_are_scores_or_predictions(operation: str, output: Any, expected: Any) -> None:
    assert columns(call(None, output=output), operation=operation)[0] == expected


@pytest.mark.parametrize(
    ("made", "dropped"),
    [
        pytest.param(call([[1, 2], [3]]), {"unsupported": 1}, id="ragged"),
        pytest.param(call(np.zeros((2, 2, 2))), {"unsupported": 8}, id="three dimensions"),
        pytest.param(call([["1", "2"]]), {"not_numeric": 2}, id="digits in texts"),
        pytest.param(call(np.array([["1", "2"]])), {"not_numeric": 2}, id="texts"),
        pytest.param(call(np.array([[1j]])), {"not_numeric": 1}, id="complex"),
        pytest.param(call(None, output=np.array(["a"])), {"unsupported": 1}, id="labels"),
        pytest.param(call(None, output=[np.zeros(2)]), {"unsupported": 1}, id="a list of outputs"),
    ],
)
def test_what_is_no_number_is_counted(made: Inference, dropped: dict[str, int]) -> None:
    assert columns(made) == ([], dropped)


def test_features_beyond_the_bound_are_counted() -> None:
    found, dropped = columns(call(np.zeros((2, FEATURES_KEPT + 5))))

    assert (len(found), dropped) == (FEATURES_KEPT, {"too_many_features": 10})


def test_values_wait_for_an_anchor_and_all_of_them_are_counted() -> None:
    values = RANDOM.normal(1_000, 1, 300)
    made = Distributions()

    made.add(SUBJECT, [call(values[:150, None])])
    early, _ = made.take(1)
    made.add(SUBJECT, [call(values[150:, None])])
    later, _ = made.take(2)

    assert early[point("x0")].histogram is None
    found = later[point("x0")]
    assert found.anchor == choose(values.tolist())
    assert found.histogram is not None
    assert found.histogram.positive == fold(values, found.anchor).positive
    assert found.count == 300


@pytest.mark.parametrize(
    ("now_ns", "is_last", "count"),
    [
        pytest.param(PATIENCE_NS, False, 0, id="waits"),
        pytest.param(PATIENCE_NS + 1, False, 3, id="until its patience ends"),
        pytest.param(2, True, 3, id="or the process"),
    ],
)
def test_few_values_are_not_kept_for_ever(now_ns: int, is_last: bool, count: int) -> None:
    made = Distributions()
    made.add(SUBJECT, [call([[1.0], [2.0], [3.0]])])

    made.take(1)
    taken, _ = made.take(now_ns, is_last=is_last)

    assert sum(found.count for found in taken.values()) == count


def test_an_anchor_once_chosen_stays() -> None:
    made = Distributions()
    made.add(SUBJECT, [call(RANDOM.normal(0, 1, (300, 1)))])
    made.take(1)
    made.add(SUBJECT, [call(RANDOM.normal(500, 9, (300, 1)))])

    (found,) = made.take(2)[0].values()

    assert (found.anchor, found.count) == (Anchor(0.0, 1.0), 300)


def test_missing_and_infinite_values_are_counted_apart() -> None:
    made = Distributions({("fraud", None, "x0", "input"): Anchor(0.0, 1.0)})
    made.add(SUBJECT, [call([[math.nan], [None], [math.inf], [-math.inf], [1.0]])])

    (found,) = made.take(1)[0].values()

    assert (found.missing, found.nonfinite, found.histogram and found.histogram.positive) == (2, 2, {-1: 1})


def test_after_a_fork_anchors_stay_and_counts_are_the_parents() -> None:
    made = Distributions()
    made.add(SUBJECT, [call(RANDOM.normal(0, 1, (300, 1)))])
    made.fold()
    made.add(SUBJECT, [call(RANDOM.normal(0, 1, (5, 2)))])

    made.forget()

    assert made.take(1) == ({}, {})
    made.add(SUBJECT, [call([[1.0]])])
    (found,) = made.take(2)[0].values()
    assert (found.anchor, found.count) == (Anchor(0.0, 1.0), 1)


def test_features_of_all_models_together_are_bounded() -> None:
    made = Distributions(features=2)
    made.add(SUBJECT, [call([[1.0, 2.0, 3.0]])])

    taken, dropped = made.take(1, is_last=True)

    assert (set(taken), dropped) == ({point("x0"), point("x1")}, {"too_many_features": 1})


def test_what_a_kept_inference_carried_is_let_go() -> None:
    made, inference = Distributions(), call([[1.0]], ["a"], np.zeros(1))
    made.add(SUBJECT, [inference])

    made.fold()

    assert (inference.rows, inference.names, inference.output) == (None, None, None)


def test_distributions_of_two_intervals_merge() -> None:
    anchor = Anchor(0.0, 1.0)
    one, other, empty = Distribution(anchor), Distribution(anchor), Distribution(None)
    one.add(np.array([1.0]))
    other.add(np.array([1.0, 2.0]))
    empty.missing = 4

    empty.merge(one)
    empty.merge(other)

    assert empty.histogram is not None
    assert (empty.anchor, empty.missing, empty.histogram.positive) == (anchor, 4, {-1: 2, 63: 1})


def reference(folder: Path, *features: dict[str, Any], version: str = "") -> str:
    path = folder / "reference.json"
    path.write_text(json.dumps({"model": "fraud", "model_version": version, "features": features}))
    return str(path)


def test_a_reference_gives_the_anchor(tmp_path: Path) -> None:
    path = reference(tmp_path, {"name": "x0", "role": "input", "center": 7.0, "scale": 3.0}, version="3")
    made = Distributions(anchors_from(path))
    made.add(SUBJECT, [call([[7.0, 1.0]])])

    taken, _ = made.take(1)

    assert [(key, found.anchor, found.count) for key, found in taken.items()] == [
        (point("x0"), Anchor(7.0, 3.0), 1),
        (point("x1"), None, 0),
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(None, id="absent"),
        pytest.param("not json", id="not json"),
        pytest.param("[]", id="a list"),
        pytest.param('{"model": "a"}', id="a key is missing"),
        pytest.param('{"model": "a", "model_version": "", "features": [{"name": "x"}]}', id="no anchor"),
        pytest.param(
            '{"model":"a","model_version":"","features":[{"name":"x","role":"input","center":0,"scale":0}]}', id="zero"
        ),
        pytest.param(
            '{"model":"a","model_version":"","features":[{"name":"x","role":"input","center":1%s,"scale":1}]}'
            % ("0" * 400),
            id="a number above all floats",
        ),
        pytest.param("[" * 100_000, id="nested too deep"),
    ],
)
def test_a_reference_that_cannot_be_read_is_one_line_on_the_log(
    tmp_path: Path, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "reference.json"
    if text is not None:
        path.write_text(text)

    assert anchors_from(str(path)) == {}
    assert [record.message.split(":")[0] for record in caplog.records] == [f"no reference is read from {path}"]


def test_a_reference_that_is_a_pipe_is_not_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    assert anchors_from(str(path)) == {}
    assert caplog.messages == [f"no reference is read from {path}: it is no file; features take their own anchors"]


def test_without_a_reference_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert (anchors_from(None), anchors_from(""), caplog.records) == ({}, {}, [])
