"""Series: their identity, their number, and what happens when there are too many."""

from collections.abc import Mapping
from itertools import permutations
from typing import Any

import pytest

from monitorx.backend.batch import BatchKind
from monitorx.backend.decode import Decoder
from monitorx.backend.decode.series import GENERATION_NS
from tests.decode.build import NOW, SHOP, column, decoded, gauge, metrics

POINT = BatchKind.METRIC
TOLD = {"a": 1, "b": "x", "c": [1, None, {"k": b"\x00"}]}


def seen(decoder: Decoder, *told: Mapping[str, Any], name: str = "g", arrival_ns: int = NOW) -> list[int]:
    return column(decoded(metrics(gauge(name, told)), decoder, arrival_ns=arrival_ns), "series", POINT)


def test_the_order_of_attributes_changes_nothing() -> None:
    decoder = Decoder()
    results = [
        decoded(metrics(gauge("g", [dict(order)]), resource=dict(reversed(SHOP.items()) if turn else SHOP)), decoder)
        for turn in (False, True)
        for order in permutations(TOLD.items())
    ]

    for name in ("series", "series_key", "key", "attributes"):
        assert len({value for result in results for value in column(result, name, POINT)}) == 1, name


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(metrics(gauge("h", [TOLD])), id="name"),
        pytest.param(metrics(gauge("g", [{**TOLD, "a": 2}])), id="attribute"),
        pytest.param(metrics(gauge("g", [{**TOLD, "a": 1.0}])), id="type of an attribute"),
        pytest.param(metrics(gauge("g", [TOLD]), resource={}), id="resource"),
    ],
)
def test_what_differs_is_another_series(other: Any) -> None:
    decoder = Decoder()
    results = [decoded(metrics(gauge("g", [TOLD])), decoder), decoded(other, decoder)]

    for name in ("series", "series_key", "key"):
        assert len({value for result in results for value in column(result, name, POINT)}) == 2, name


def test_keys_are_the_same_in_every_process() -> None:
    result = decoded(metrics(gauge("g", [TOLD])))

    assert (column(result, "series_key", POINT), column(result, "key", POINT)) == (
        [6_694_285_764_744_155_412],
        [12_184_411_912_996_653_635],
    )


def test_tenants_share_no_series() -> None:
    decoder = Decoder()
    request = metrics(gauge("g", [TOLD]))
    keys = [column(decoded(request, decoder, tenant=tenant), "series_key", POINT) for tenant in ("t", "u")]

    assert keys[0] != keys[1]


def test_series_beyond_the_cap_become_one_and_keep_their_own_keys() -> None:
    dropped: list[tuple[str, str, float]] = []
    decoder = Decoder(
        series_per_metric=2, count=lambda name, labels, amount: dropped.append((name, labels["reason"], amount))
    )
    request = metrics(gauge("g", [{"user": number} for number in range(5)]))
    result = decoded(request, decoder)
    again = decoded(request, decoder)

    assert column(result, "attributes", POINT) == ['{"user":0}', '{"user":1}'] + ['{"otel.metric.overflow":true}'] * 3
    assert column(result, "series", POINT) == [1, 2, 3, 3, 3]
    assert len(set(column(result, "series_key", POINT))) == 3
    assert len(set(result.keys.tolist())) == 5
    assert result.keys.tolist() == again.keys.tolist() == decoded(request).keys.tolist()
    assert dropped == [("monitorx_decode_dropped_total", "series", 3.0)] * 2


def test_each_metric_has_its_own_room() -> None:
    decoder = Decoder(series_per_metric=1)

    assert seen(decoder, {"a": 1}) + seen(decoder, {"a": 1}, name="h") == [1, 2]


def test_room_is_shared_by_the_instances_of_a_service() -> None:
    decoder = Decoder(series_per_metric=1)
    for instance in ("i-1", "i-2"):
        result = decoded(metrics(gauge("g"), resource={"service.instance.id": instance}), decoder)

    assert column(result, "attributes", POINT) == ['{"otel.metric.overflow":true}']


def test_a_series_keeps_its_number_over_generations() -> None:
    decoder = Decoder()
    first = seen(decoder, {"a": 1}, {"a": 2})
    later = seen(decoder, {"a": 2}, {"a": 3}, arrival_ns=NOW + GENERATION_NS + 1)

    assert (first, later, decoder.series.generations) == ([1, 2], [2, 3], 2)


def test_a_series_not_seen_for_two_generations_is_forgotten() -> None:
    decoder = Decoder(series_per_metric=1)
    seen(decoder, {"a": 1})
    seen(decoder, {"b": 1}, arrival_ns=NOW + GENERATION_NS + 1)
    third = seen(decoder, {"a": 1}, arrival_ns=NOW + 2 * GENERATION_NS + 2)

    assert third == [3]


def test_the_cache_begins_anew_when_it_is_full() -> None:
    decoder = Decoder(series_limit=20)
    for number in range(200):
        seen(decoder, {"a": number})

    assert 9 <= decoder.series.generations <= 11
