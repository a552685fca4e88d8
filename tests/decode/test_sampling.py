"""Weights from tracestate: OpenTelemetry's probability sampling."""

import pytest

from monitorx.backend.decode.sampling import MOST, Weights, weight


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param("", 1.0, id="none"),
        pytest.param("ot=th:0", 1.0, id="all kept"),
        pytest.param("ot=th:8", 2.0, id="half"),
        pytest.param("ot=th:c", 4.0, id="a quarter"),
        pytest.param("ot=rv:abcdef;th:8", 2.0, id="after another"),
        pytest.param("vendor=x, ot=th:8;rv:1,b=c", 2.0, id="among vendors"),
        pytest.param("root=th:8", 1.0, id="another key that ends so"),
        pytest.param("ot=th:zz", 1.0, id="not hex"),
        pytest.param("ot=th:" + "f" * 15, 1.0, id="too long"),
        pytest.param("ot=xth:8", 1.0, id="another subkey"),
        pytest.param("ot=th:" + "f" * 14, 2.0**56, id="the rarest"),
    ],
)
def test_a_span_stands_for_as_many_calls_as_its_threshold_says(state: str, expected: float) -> None:
    assert weight(state) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param("ot=th:" + "f" * 14, (1.0, 1), id="2^56 calls"),
        pytest.param("ot=th:fffff", (1.0, 1), id="a million and more"),
        pytest.param("ot=th:ffffe", (524_288.0, 0), id="half of it"),
        pytest.param("ot=th:8", (2.0, 0), id="two"),
    ],
)
def test_a_span_that_claims_more_calls_than_a_sampler_means_stands_for_itself(
    state: str, expected: tuple[float, int]
) -> None:
    weights = Weights()

    assert (weights.of(state), weights.refused) == expected
    assert weights.of("") <= MOST
