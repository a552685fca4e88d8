"""
What the demo shows, in which order, and whether it was seen.

Takes what was seen so far and the time; gives the scene that is on and the steps that are missing. Starts nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Self

CHANNELS = ("webhook", "email")
KINDS = ("tabular", "vision", "llm")
SLOW_ALERT = "ModelIsSlow"
FAILING_ALERT = "ModelFails"


class Scene(Enum):
    """One part of the story."""

    HEALTHY = "three unchanged scripts call their models"
    SLOW = "the chat model becomes slow"
    ERRORS = "the chat model fails two calls of three"
    RECOVERY = "the fault is over"
    END = "everything was shown"


FAULTS = {Scene.SLOW: "slow", Scene.ERRORS: "errors"}  # in the words of the stand-in server; else "none"


@dataclass(frozen=True, slots=True)
class Delivery:
    """An alert that reached its reader."""

    channel: str
    status: str  # firing | resolved
    alert: str


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that was observed from outside the server."""

    kinds: frozenset[str] = frozenset()
    deliveries: frozenset[Delivery] = frozenset()

    def reached_all(self, status: str, alert: str) -> bool:
        """Whether *alert* came with *status* on every channel."""
        return all(Delivery(channel, status, alert) in self.deliveries for channel in CHANNELS)


@dataclass(frozen=True, slots=True)
class Step:
    """Something the audience should see, and the scene in which it should happen."""

    scene: Scene
    words: str
    is_seen: Callable[[Seen], bool]


def _model(kind: str, words: str) -> Step:
    return Step(Scene.HEALTHY, words, lambda seen: kind in seen.kinds)


def _alert(scene: Scene, status: str, alert: str) -> Step:
    words = f"{alert} {status}: delivered to webhook and e-mail"
    return Step(scene, words, lambda seen: seen.reached_all(status, alert))


STEPS = (
    _model("tabular", "the scikit-learn model is seen"),
    _model("vision", "the onnxruntime model is seen"),
    _model("llm", "the chat model is seen"),
    _alert(Scene.SLOW, "firing", SLOW_ALERT),
    _alert(Scene.ERRORS, "firing", FAILING_ALERT),
    _alert(Scene.RECOVERY, "resolved", SLOW_ALERT),
    _alert(Scene.RECOVERY, "resolved", FAILING_ALERT),
)

# How long a complete scene stays, so that a reader sees its figures, and how long an incomplete one waits.
HOLD_S = {Scene.HEALTHY: 6.0, Scene.SLOW: 2.0, Scene.ERRORS: 2.0, Scene.RECOVERY: 2.0}
LIMIT_S = {Scene.HEALTHY: 25.0, Scene.SLOW: 12.0, Scene.ERRORS: 12.0, Scene.RECOVERY: 25.0}
TOTAL_S = 55.0  # whatever is missing then: with start and stop the whole stays under a minute
_NEXT = {
    Scene.HEALTHY: Scene.SLOW,
    Scene.SLOW: Scene.ERRORS,
    Scene.ERRORS: Scene.RECOVERY,
    Scene.RECOVERY: Scene.END,
}


def missing(seen: Seen, scene: Scene | None = None) -> list[str]:
    """The words of the steps not seen yet, of one scene or of all."""
    return [step.words for step in STEPS if scene in (None, step.scene) and not step.is_seen(seen)]


@dataclass(slots=True)
class Story:
    """
    The scene that is on, and since when; times are of one monotonic clock.

    Attributes:
        complete_s: When the last step of the scene was seen; None before.
    """

    began_s: float
    since_s: float
    scene: Scene = Scene.HEALTHY
    complete_s: float | None = None

    @classmethod
    def begin(cls, now_s: float) -> Self:
        """A story that starts now."""
        return cls(now_s, now_s)

    def advance(self, seen: Seen, now_s: float) -> bool:
        """Go on to the next scene if this one was shown or has waited long enough; whether it went on."""
        if self.scene is Scene.END:
            return False
        if self.complete_s is None and not missing(seen, self.scene):
            self.complete_s = now_s
        is_shown = self.complete_s is not None and now_s - self.complete_s >= HOLD_S[self.scene]
        is_over = now_s - self.since_s >= LIMIT_S[self.scene] or now_s - self.began_s >= TOTAL_S
        if not is_shown and not is_over:
            return False
        self.scene, self.since_s, self.complete_s = _NEXT[self.scene], now_s, None
        return True
