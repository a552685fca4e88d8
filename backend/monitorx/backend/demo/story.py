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
DRIFT_ALERT = "FeatureDrifts"
CHAT_MODEL = "standin-chat"
TABULAR_MODEL = "GradientBoostingClassifier"
FEATURES = 30  # of the tabular model
SHIFTED_FEATURE = "x1"  # the one that the upstream system shifts


class Scene(Enum):
    """One part of the story."""

    HEALTHY = "three unchanged scripts call their models"
    SLOW = "the chat model becomes slow"
    ERRORS = "the chat model fails two calls of three"
    RECOVERY = "the fault is over"
    END = "everything was shown"


FAULTS = {Scene.SLOW: "slow", Scene.ERRORS: "errors"}  # in the words of the stand-in server; else "none"


Feature = tuple[str, str]  # model, name
About = tuple[str, str, str]  # name of the alert, model, feature
SLOW: About = (SLOW_ALERT, CHAT_MODEL, "")
FAILING: About = (FAILING_ALERT, CHAT_MODEL, "")
DRIFT: About = (DRIFT_ALERT, TABULAR_MODEL, SHIFTED_FEATURE)


@dataclass(frozen=True, slots=True)
class Delivery:
    """An alert that reached its reader."""

    channel: str
    status: str  # firing | resolved
    alert: str
    model: str
    feature: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """
    Everything that was observed from outside the server.

    Attributes:
        kinds: Of models that were called.
        deliveries: Alerts that arrived.
        compared: Features that were compared with their references, each a model and a name.
        drifted: Those of them that had drifted.
        is_over: Whether the story is at its end.
    """

    kinds: frozenset[str] = frozenset()
    deliveries: frozenset[Delivery] = frozenset()
    compared: frozenset[Feature] = frozenset()
    drifted: frozenset[Feature] = frozenset()
    is_over: bool = False

    def reached_all(self, status: str, about: About) -> bool:
        """Whether the alert *about* came with *status* on every channel."""
        return all(Delivery(channel, status, *about) in self.deliveries for channel in CHANNELS)

    def is_compared(self) -> bool:
        """Whether each feature of the tabular model has a finding."""
        return len([model for model, _ in self.compared if model == TABULAR_MODEL]) == FEATURES

    def is_else_silent(self) -> bool:
        """Whether nothing alarmed but what the demo made alarm; known at the end only."""
        alarmed = {(each.alert, each.model, each.feature) for each in self.deliveries}
        return self.is_over and alarmed <= {SLOW, FAILING, DRIFT} and self.drifted <= {DRIFT[1:]}


@dataclass(frozen=True, slots=True)
class Step:
    """Something the audience should see, and the scene in which it should happen."""

    scene: Scene
    words: str
    is_seen: Callable[[Seen], bool]


def _model(kind: str, words: str) -> Step:
    return Step(Scene.HEALTHY, words, lambda seen: kind in seen.kinds)


def _alert(scene: Scene, status: str, about: About) -> Step:
    words = f"{named(*about)} {status}: delivered to webhook and e-mail"
    return Step(scene, words, lambda seen: seen.reached_all(status, about))


def named(alert: str, model: str, feature: str) -> str:
    """
    An alert in words.

    >>> named(*DRIFT), named(*SLOW)
    ('FeatureDrifts of GradientBoostingClassifier, x1', 'ModelIsSlow of standin-chat')
    """
    return f"{alert} of {model}, {feature}" if feature else f"{alert} of {model}"


COMPARED = f"all {FEATURES} features of the scikit-learn model are compared"
STEPS = (
    _model("tabular", "the scikit-learn model is seen"),
    _model("vision", "the onnxruntime model is seen"),
    _model("llm", "the chat model is seen"),
    _alert(Scene.SLOW, "firing", SLOW),
    _alert(Scene.ERRORS, "firing", FAILING),
    # Drift goes on beside the scenes of the chat model, as fast as its windows allow; the last of them waits for it.
    Step(Scene.RECOVERY, COMPARED, Seen.is_compared),
    _alert(Scene.RECOVERY, "firing", DRIFT),
    _alert(Scene.RECOVERY, "resolved", SLOW),
    _alert(Scene.RECOVERY, "resolved", FAILING),
    Step(Scene.END, "the other features and models stay silent", Seen.is_else_silent),
)

# How long a complete scene stays, so that a reader sees its figures, and how long an incomplete one waits.
HOLD_S = {Scene.HEALTHY: 6.0, Scene.SLOW: 2.0, Scene.ERRORS: 2.0, Scene.RECOVERY: 2.0}
LIMIT_S = {Scene.HEALTHY: 25.0, Scene.SLOW: 12.0, Scene.ERRORS: 12.0, Scene.RECOVERY: 32.0}
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
