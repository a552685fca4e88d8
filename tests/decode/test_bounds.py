"""What is bounded: texts in columns, attributes in columns, caches."""

import json
from collections.abc import Mapping

import pytest

from monitorx.backend.batch import BatchKind
from monitorx.backend.decode import Decoder
from monitorx.backend.decode.attribute import COUNT_LIMIT, TEXT_LIMIT, canonical, column_text
from monitorx.backend.decode.origin import Origins
from monitorx.backend.decode.told import Tellings
from monitorx.backend.decode.view import parse
from tests.decode.build import CHAT, Signal, column, decoded, gauge, metrics, span, traces


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        pytest.param("x" * 2000, "x" * TEXT_LIMIT, id="text"),
        pytest.param(["x" * 2000], ('["' + "x" * 2000)[:TEXT_LIMIT], id="list"),
        pytest.param(["x"] * 3, ["x"] * 3, id="short list beside others"),
        pytest.param(5, 5, id="number"),
    ],
)
def test_a_long_value_is_cut_in_the_column(value: object, kept: object) -> None:
    told = {"a": value, "z": "y" * 2000}

    assert json.loads(column_text(told, canonical(told))) == {"a": kept, "z": "y" * TEXT_LIMIT}


def test_only_so_many_attributes_are_in_the_column() -> None:
    told = {f"k{number:05}": number for number in range(10_000)}

    assert list(json.loads(column_text(told, canonical(told)))) == sorted(told)[:COUNT_LIMIT]


def test_series_that_differ_behind_the_cut_are_two() -> None:
    result = decoded(metrics(gauge("g", [{"a": "x" * 2000 + end} for end in "12"])))

    assert len(set(column(result, "series_key", BatchKind.METRIC))) == 2
    assert len(set(column(result, "attributes", BatchKind.METRIC))) == 1


def test_hostile_names_of_metrics_are_kept_to_a_length() -> None:
    names = ["a,b=c d=1 123\nx y=2", "a\x00b", "\u202e", "x" * 65_536]

    assert column(decoded(metrics(*map(gauge, names))), "name", BatchKind.METRIC) == [*names[:3], "x" * TEXT_LIMIT]


def test_resources_are_forgotten_when_there_are_too_many() -> None:
    origins = Origins(limit=10)
    for number in range(25):
        request = traces(span(CHAT), resource={"service.name": f"s{number}"})
        resource = parse(Signal.TRACES, request.SerializeToString()).resource_spans[0].resource
        assert origins.of(resource).service == f"s{number}"
        assert origins.of(resource) is origins.of(resource)

    assert origins.emptied == 2


def test_attributes_are_forgotten_when_there_are_too_many() -> None:
    tellings = Tellings(limit=10)
    field, rank = next(iter(tellings.fields.values()))
    for number in range(25):
        raw = span({"gen_ai.request.model": f"m{number}"}).attributes[0].SerializeToString()
        told = tellings.learn(raw, field, rank)
        assert told is not None
        assert told.text == f"m{number}"

    assert (tellings.emptied, len(tellings.known)) == (2, 5)


def test_a_sampling_probability_that_no_sampler_means_is_not_believed_and_counted() -> None:
    counted: list[tuple[str, Mapping[str, str], float]] = []
    decoder = Decoder(count=lambda name, labels, amount: counted.append((name, labels, amount)))
    states = ("ot=th:" + "f" * 14, "ot=th:8")
    request = traces(*(span(CHAT, number, trace_state=state) for number, state in enumerate(states, 1)))

    found = decoded(request, decoder)

    assert column(found, "weight", BatchKind.INFERENCE) == [1.0, 2.0]
    assert counted == [("monitorx_decode_dropped_total", {"reason": "weight"}, 1.0)]
