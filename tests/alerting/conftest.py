from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitorx.alerting.config import AlertingConfig
from monitorx.alerting.notify import Pipeline
from tests.alerting.scenario import Scenario

Make = Callable[..., Scenario]


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Make]:
    opened: list[Scenario] = []

    def make(settings: AlertingConfig | None = None, pipeline: Pipeline | None = None) -> Scenario:
        opened.append(Scenario(tmp_path / f"alerting-{len(opened)}.db", settings, pipeline))
        return opened[-1]

    yield make
    for one in opened:
        one.store.close()
