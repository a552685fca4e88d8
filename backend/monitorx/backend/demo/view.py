"""
How the demo looks: a live table on a terminal, plain lines elsewhere.

Both say the same: each model's figures, each alert as it arrives, each step as it is seen.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from monitorx.backend.demo.look import ModelFigures
from monitorx.backend.demo.story import STEPS, Delivery, Scene, Seen, named

LATEST = 8


class View(Protocol):
    """Shows the demo to somebody; used as a context."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def say(self, words: str) -> None:
        """Tell something that stays."""

    def show(self, scene: Scene, figures: Sequence[ModelFigures], deliveries: Sequence[Delivery], seen: Seen) -> None:
        """Show the state of the moment."""


class LiveView:
    """One table that is drawn again and again."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, words: str) -> None:
        """Print above the table."""
        self._live.console.print(Text(words))

    def show(self, scene: Scene, figures: Sequence[ModelFigures], deliveries: Sequence[Delivery], seen: Seen) -> None:
        """Draw the table."""
        self._live.update(picture(scene, figures, deliveries, seen))


class LineView:
    """Lines for a log: a step when it is seen, the figures at the end of each scene."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._scene: Scene | None = None
        self._figures: Sequence[ModelFigures] = ()
        self._told: set[str] = set()
        self._arrived = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def say(self, words: str) -> None:
        """Print a line."""
        print(words, file=self._console.file, flush=True)

    def show(self, scene: Scene, figures: Sequence[ModelFigures], deliveries: Sequence[Delivery], seen: Seen) -> None:
        """Print what is new."""
        for delivery in deliveries[self._arrived :]:
            self.say(f"    {told(delivery)}")
        self._arrived = len(deliveries)
        for step in STEPS:
            if step.words not in self._told and step.is_seen(seen):
                self._told.add(step.words)
                self.say(f"  ✓ {step.words}")
        if scene is not self._scene:
            for row in self._figures:
                self.say(f"    {line(row)}")
            self.say(f"{scene.value}")
            self._scene = scene
        self._figures = figures


def told(delivery: Delivery) -> str:
    """
    A delivery on one line.

    >>> told(Delivery("email", "firing", "ModelFails", "digits"))
    'email: ModelFails of digits firing'
    """
    return f"{delivery.channel}: {named(delivery.alert, delivery.model, delivery.feature)} {delivery.status}"


def line(row: ModelFigures) -> str:
    """One model's figures on one line."""
    rate, p50, p95, errors = cells(row)
    return f"{row.model:28} {row.kind:8} {rate:>7} calls/s   p50 {p50:>8}   p95 {p95:>8}   errors {errors:>6}"


def cells(row: ModelFigures) -> tuple[str, str, str, str]:
    """Calls a second, p50, p95 and errors, in words."""
    rate = "–" if row.rate is None else f"{row.rate:.1f}"
    errors = "–" if row.error_ratio is None else f"{row.error_ratio:.0%}"
    return rate, milliseconds(row.p50_s), milliseconds(row.p95_s), errors


def milliseconds(duration_s: float | None) -> str:
    """
    A duration with three figures that matter.

    >>> milliseconds(0.000312), milliseconds(0.0527), milliseconds(1.25)
    ('0.31 ms', '52.7 ms', '1250 ms')
    """
    if duration_s is None:
        return "–"
    value = duration_s * 1000
    return f"{value:.2f} ms" if value < 10 else f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def picture(
    scene: Scene, figures: Sequence[ModelFigures], deliveries: Sequence[Delivery], seen: Seen
) -> RenderableType:
    """Everything at once: the models, the steps, the alerts that arrived last."""
    models = Table(title=scene.value, title_justify="left", expand=True)
    models.add_column("model")
    models.add_column("kind")
    for name in ("calls/s", "p50", "p95", "errors"):
        models.add_column(name, justify="right")
    for row in figures:
        models.add_row(Text(row.model), Text(row.kind), *cells(row))
    steps = [Text(f" {'✓' if step.is_seen(seen) else '·'} {step.words}") for step in STEPS]
    alerts = [Text(f"   {told(each)}") for each in deliveries[-LATEST:]]
    return Group(models, *steps, Text("alerts as they arrive:" if alerts else ""), *alerts)
