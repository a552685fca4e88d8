"""The test's own Grafana puts variables in as the real one does."""

from typing import Any

import pytest

from tests.support.grafana import ALL, asked


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        pytest.param(ALL, "/^.*$/", id="all"),
        pytest.param("fraud", "/^fraud$/", id="one"),
        pytest.param("a/b (1.0) [x|y] $5", r"/^a\/b \(1\.0\) \[x\|y\] \$5$/", id="signs"),
        pytest.param(["a", "b.c"], r"/^(a|b\.c)$/", id="several"),
    ],
)
def test_choices_become_patterns(chosen: Any, expected: str) -> None:
    assert asked("/^${model:regex}$/", variables={"model": chosen}, start_ms=0, end_ms=1, step_s=10) == expected


def test_time_and_step_are_put_in() -> None:
    query = "$timeFilter $timeFilter time($__interval) $__interval_ms"
    put = {"variables": {}, "start_ms": 1000, "end_ms": 121_000, "step_s": 15}

    between = "time >= 1000ms and time <= 121000ms"
    until_now = "time >= now() - 2m and time <= now()"
    assert asked(query, **put) == f"{between} {between} time(15s) 15000"
    assert asked(query, now=True, **put) == f"{until_now} {until_now} time(15s) 15000"
