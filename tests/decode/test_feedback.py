"""Events that say how good a prediction was."""

from typing import Any

import pytest

from monitorx.backend.batch import BatchKind
from tests.decode.build import NOW, SECOND, TRACE, any_value, column, decoded, logs, rows

WORD = BatchKind.FEEDBACK
SPAN = bytes([2] * 8)
LABEL = {"ml.prediction.id": "p-1", "ml.model.name": "fraud", "ml.feedback.label": "yes", "ml.feedback.score": 1}


def event(name: str = "ml.feedback", **fields: Any) -> dict[str, Any]:
    return {"event_name": name, "attributes": LABEL, **fields}


def test_a_late_label_is_a_row() -> None:
    [row] = rows(decoded(logs(event(trace_id=TRACE, span_id=SPAN))), WORD)

    assert row.pop("key") > 0
    assert row == {
        "time_ns": NOW,
        "tenant": "t",
        "service": "shop",
        "instance": "i-1",
        "model": "fraud",
        "event": "ml.feedback",
        "prediction_id": "p-1",
        "trace_id": TRACE,
        "span_id": SPAN,
        "label": "yes",
        "score": 1.0,
        "attributes": (
            '{"ml.feedback.label":"yes","ml.feedback.score":1,"ml.model.name":"fraud","ml.prediction.id":"p-1"}'
        ),
    }


def test_an_evaluation_of_an_answer_is_a_row() -> None:
    told = {
        "gen_ai.evaluation.name": "relevance",
        "gen_ai.evaluation.score.value": 0.75,
        "gen_ai.evaluation.score.label": "good",
        "gen_ai.response.id": "r-1",
        "gen_ai.request.model": "m",
    }
    [row] = rows(decoded(logs(event("gen_ai.evaluation.result", attributes=told))), WORD)

    assert [row[name] for name in ("model", "prediction_id", "label", "score")] == ["m", "r-1", "good", 0.75]


def test_the_event_name_may_be_an_attribute() -> None:
    record = {"attributes": {**LABEL, "event.name": "ml.evaluation.result"}}

    assert column(decoded(logs(record)), "event", WORD) == ["ml.evaluation.result"]


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"body": any_value("hello"), "severity_number": 24}, id="a line"),
        pytest.param({"event_name": "gen_ai.client.inference.operation.details"}, id="another event"),
        pytest.param({"attributes": {"event.name": ["ml.feedback"]}}, id="the name is a list"),
        pytest.param({"attributes": {"event.name": 5}}, id="the name is a number"),
    ],
)
def test_other_records_are_counted_and_not_kept(record: dict[str, Any]) -> None:
    result = decoded(logs(record))

    assert (result.batches, result.items, result.rejected) == ((), 1, 0)


def test_the_time_is_the_events_then_when_it_was_seen_then_now() -> None:
    records = [event(), event(time_unix_nano=0, observed_time_unix_nano=5), event(time_unix_nano=0)]

    assert column(decoded(logs(*records), arrival_ns=NOW + SECOND), "time_ns", WORD) == [NOW, 5, NOW + SECOND]


def test_a_time_beyond_our_range_is_rejected() -> None:
    result = decoded(logs(event(time_unix_nano=2**63), event()))

    assert (result.items, result.rejected, len(result.keys)) == (2, 1, 1)
    assert result.message == "1 rejected: a time is later than the year 2262"


def test_ids_of_another_length_are_none() -> None:
    [row] = rows(decoded(logs(event(trace_id=b"abc", span_id=bytes(8)))), WORD)

    assert {"trace_id", "span_id"}.isdisjoint(row)


def test_the_key_is_the_content_whatever_the_order_and_the_arrival() -> None:
    shuffled = event(attributes=dict(reversed(LABEL.items())))
    keys = [
        decoded(logs(record), arrival_ns=arrival).keys.tolist()
        for record, arrival in ((event(), NOW), (shuffled, NOW + 5), (event(attributes={**LABEL, "x": 1}), NOW))
    ]

    assert keys[0] == keys[1] != keys[2]
