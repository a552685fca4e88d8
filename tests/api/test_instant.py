"""Moments and lengths of time in queries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitorx.backend.api.instant import SECOND_NS, parse_length_ns, parse_moment_ns, rfc3339

NOW = 1_700_000_000 * SECOND_NS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("now", NOW, id="now"),
        pytest.param("-15m", NOW - 900 * SECOND_NS, id="minutes ago"),
        pytest.param("-1h30m5s", NOW - 5405 * SECOND_NS, id="a length of several units"),
        pytest.param("-5", NOW - 5 * SECOND_NS, id="seconds ago"),
        pytest.param("-99999w", 0, id="before the epoch"),
        pytest.param("1700000000", NOW, id="unix seconds"),
        pytest.param("1700000000.000000001", NOW + 1, id="unix seconds to the nanosecond"),
        pytest.param("2023-11-14T22:13:20Z", NOW, id="UTC"),
        pytest.param("2023-11-14T23:13:20.5+01:00", NOW + SECOND_NS // 2, id="another zone"),
        pytest.param("2023-11-14T23:13:20 01:00", NOW, id="a plus that was not encoded"),
    ],
)
def test_a_moment_is_read(text: str, expected: int) -> None:
    assert parse_moment_ns(text, NOW) == expected


@pytest.mark.parametrize(
    "text", ["", "soon", "-", "--5m", "5m", "2023-11-14T22:13:20", "1e9", "１", "NaN", "2023-13-01T00:00:00Z"]
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_moment_ns(text, NOW)


@pytest.mark.parametrize("text", ["", "m", "5 m", "5y", "-5m", "5.5m", "inf"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_length_ns(text)


@given(st.integers(0, 2**62))
def test_a_moment_that_was_told_is_read_back_to_the_microsecond(time_ns: int) -> None:
    assert parse_moment_ns(rfc3339(time_ns), NOW) == time_ns // 1000 * 1000
