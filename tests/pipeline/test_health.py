"""The health answer: what each part says of itself."""

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest

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


def test_what_senders_do_wrong_is_said() -> None:
    windows: Any = SimpleNamespace(  # Any: what is asked of windows
        overflowing={"shop": 3}, sharing={"desk": 4}, lagging={("shop", "i-1"): 125.0}
    )

    words = _complaints(windows)

    assert words == [
        "shop names too many models: 3 additions are counted as `__other__`",
        "several processes of desk send as one (4 points): give each a service.instance.id",
        "shop (i-1) is not judged: its clock is slow or its data was held up, by 125 s",
    ]
