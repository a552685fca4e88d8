"""The health answer: what each part says of itself."""

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest

from monitorx.backend.api import Part
from monitorx.backend.health import Checkup
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
