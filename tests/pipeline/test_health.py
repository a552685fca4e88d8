"""The health answer: what each part says of itself."""

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest

from monitorx.alerting.engine import Health as AlertingHealth
from monitorx.backend.api import Part
from monitorx.backend.health import Checkup, _complaints
from monitorx.backend.journal.limit import Counters


def checkup(counters: Counters) -> Checkup:
    journal: Any = SimpleNamespace(counters=lambda: counters, end=lambda: 7)  # Any: what is asked of a journal
    unasked: dict[str, Any] = dict.fromkeys(each.name for each in fields(Checkup))  # Any: parts that are not asked
    return Checkup(**(unasked | {"journal": journal}))


@pytest.mark.parametrize(
    ("counters", "part"),
    [
        pytest.param(
            Counters(segments=2, disk_bytes=1_500_000), Part(True, "2 segments, 1.5 MB, up to position 7"), id="well"
        ),
        pytest.param(
            Counters(segments=1, damaged=1, missing=105),
            Part(
                False,
                "1 segments, 0.0 MB, up to position 7; damaged places passed over: 1, records that cannot be read: 105",
            ),
            id="damaged",
        ),
        pytest.param(Counters(last_error="disk full"), Part(False, "the last write failed: disk full"), id="disk"),
    ],
)
def test_the_journal_tells_places_from_records(counters: Counters, part: Part) -> None:
    assert checkup(counters)._journal() == part


@pytest.mark.parametrize(
    ("backlog", "part"),
    [
        pytest.param({}, Part(True, "0 records to go"), id="nothing waits"),
        pytest.param({"lag": 20_000, "since_s": 1}, Part(True, "20000 records to go"), id="many that came just now"),
        pytest.param(
            {"lag": 3, "since_s": 41},
            Part(False, "rules are late: a record has waited for 41 s; 3 records to go"),
            id="few that have waited",
        ),
        pytest.param(
            {"lag": 3, "since_s": 1, "is_behind": True},
            Part(True, "catching up from the journal: 3 records to go; no rule is judged"),
            id="behind, and nearly there",
        ),
        pytest.param(
            {"lag": 3, "since_s": 11, "is_behind": True},
            Part(
                False,
                "rules are late: a record has waited for 11 s;"
                " catching up from the journal: 3 records to go; no rule is judged",
            ),
            id="behind",
        ),
    ],
)
def test_windows_are_judged_by_how_long_the_oldest_record_has_waited(backlog: dict[str, int], part: Part) -> None:
    waits_since = 100 * 10**9 - backlog["since_s"] * 10**9 if backlog else None
    windows = SimpleNamespace(overflowing={}, sharing={}, lagging={}, unseen_s=0.0)
    parts: dict[str, Any] = {  # Any: what is asked of each
        "clock": lambda: 100 * 10**9,
        "backlog": SimpleNamespace(
            lag=lambda: backlog.get("lag", 0),
            is_behind=backlog.get("is_behind", False),
            waits_since=lambda: waits_since,
        ),
        "pipeline": SimpleNamespace(
            is_alive=lambda: True, trouble="", is_detached=False, state=SimpleNamespace(windows=windows)
        ),
    }
    unasked: dict[str, Any] = dict.fromkeys(each.name for each in fields(Checkup))  # Any: parts that are not asked

    assert Checkup(**(unasked | parts))._windows() == part


def rules_part(failing: dict[str, str], steps: dict[str, str], alerts: dict[str, int]) -> Part:
    pipeline: Any = SimpleNamespace(  # Any: what is asked of a pipeline
        failing=SimpleNamespace(words=failing), failing_steps=steps, rule_count=12
    )
    unasked: dict[str, Any] = dict.fromkeys(each.name for each in fields(Checkup))  # Any: parts that are not asked
    found = AlertingHealth(True, (), alerts, 0)
    return Checkup(**(unasked | {"pipeline": pipeline, "alerting": lambda: found}))._rules()


@pytest.mark.parametrize(
    ("failing", "steps", "alerts", "part"),
    [
        pytest.param({}, {}, {"firing": 9_999}, Part(True, "12 rules"), id="well"),
        pytest.param(
            {"Hot": "ValueError: a gauge", "Cold": "ValueError: another"},
            {},
            {},
            Part(False, "Cold cannot be judged: ValueError: another; Hot cannot be judged: ValueError: a gauge"),
            id="rules that fail",
        ),
        pytest.param(
            {f"Rule{number:02}": "no" for number in range(13)},
            {},
            {},
            Part(
                False,
                "; ".join([*(f"Rule{number:02} cannot be judged: no" for number in range(10)), "and 3 more rules"]),
            ),
            id="many rules that fail",
        ),
        pytest.param(
            {},
            {"rules": "KeyError: 'alertname'"},
            {},
            Part(False, "the step rules fails and is passed over: KeyError: 'alertname'"),
            id="a step that fails",
        ),
        pytest.param(
            {},
            {},
            {"firing": 9_000, "resolved": 1_000},
            Part(False, "10000 alerts stand, and no more are taken: tell fewer groups apart in `by`"),
            id="as many alerts as there may be",
        ),
    ],
)
def test_rules_that_are_not_judged_and_alerts_that_are_not_taken_are_said(
    failing: dict[str, str], steps: dict[str, str], alerts: dict[str, int], part: Part
) -> None:
    assert rules_part(failing, steps, alerts) == part


def test_what_senders_do_wrong_is_said() -> None:
    windows: Any = SimpleNamespace(  # Any: what is asked of windows
        overflowing={"shop": 3}, sharing={"desk": 4}, lagging={("shop", "i-1"): 125.0}, unseen_s=600.0
    )

    words = _complaints(windows)

    assert words == [
        "rules do not see the oldest 600 s of the longest window: there are more panes than find room; ask for shorter"
        " windows, or name fewer models and processes",
        "shop names too many models: 3 additions are counted as `__other__`",
        "several processes of desk send as one (4 points): give each a service.instance.id",
        "shop (i-1) is not judged: its clock is slow or its data was held up, by 125 s",
    ]
