"""The step over a state file, and what is sent to it."""

from datetime import timedelta
from pathlib import Path

import numpy as np

from monitorx.backend.detector import Drift, DriftSettings, RankLocationDetector, SQLiteState
from monitorx.backend.storage.store import DriftRow
from monitorx.sketch import Anchor
from tests.detector.build import SECOND, batch

WINDOW = 10 * SECOND
T0 = 1_700_000_000 * SECOND
SETTINGS = DriftSettings(window=timedelta(seconds=10), lateness=timedelta(seconds=2), reference_windows=3)
UNIT = Anchor(0.0, 1.0)


class World:
    """A step over a state file, which may be ended and begun again at any point."""

    def __init__(self, folder: Path, settings: DriftSettings = SETTINGS, **fitted: object) -> None:
        self.path = folder / "drift.sqlite"
        self.settings, self.fitted = settings, fitted.get("fitted")
        self.counted: dict[tuple[str, str], float] = {}
        self.position = 0
        self.begin()

    def begin(self, stored: int = 0) -> None:
        self.state = SQLiteState(self.path)
        self.drift = Drift(
            RankLocationDetector(),
            self.state,
            self.settings,
            fitted=self.fitted,  # type: ignore[arg-type]  # the keyword is passed on as it is
            stored=stored,
            count=self._count,
        )

    def send(self, window: int, *, offset_s: float = 5.0, n: int = 400, **shift: float) -> None:
        """A batch of both features in a window, 400 normal values each, the same at every call; some shifted."""
        self.position += 1
        self.add(self.position, window, offset_s, n, **shift)

    def add(self, position: int, window: int, offset_s: float = 5.0, n: int = 400, **shift: float) -> None:
        at_ns = T0 + window * WINDOW + int(offset_s * SECOND)
        values = {
            name: np.random.default_rng([window, index]).normal(size=n) + shift.get(name, 0.0)
            for index, name in enumerate(("age", "amount"))
        }
        anchors = {"age": UNIT, "amount": UNIT}
        self.drift.add(batch(values, at_ns=at_ns, anchors=anchors), position=position, arrival_ns=at_ns)

    def only(self, window: int, *names: str, model: str = "fraud", version: str = "1") -> None:
        """Values of these features, and none of any other."""
        self.position += 1
        at_ns = T0 + window * WINDOW + 5 * SECOND
        values = {name: np.random.default_rng([window, 9]).normal(size=400) for name in names}
        sent = batch(values, at_ns=at_ns, model=model, version=version, anchors=dict.fromkeys(names, UNIT))
        self.drift.add(sent, position=self.position, arrival_ns=at_ns)

    def close(self, window: int) -> list[DriftRow]:
        """The server's clock passes the end of a window."""
        self.drift.evaluate(T0 + (window + 1) * WINDOW + 2 * SECOND)
        return self.drift.take()

    def _count(self, name: str, labels: object, value: float) -> None:
        key = name, str(next(iter(dict(labels).values()), ""))  # type: ignore[call-overload]  # a mapping
        self.counted[key] = self.counted.get(key, 0.0) + value


def brief(rows: list[DriftRow]) -> list[tuple[str, str, bool]]:
    return [(row.feature, row.status, row.drifted) for row in rows]
