from dataclasses import replace

import pytest

from monitorx.backend.demo.story import (
    CHANNELS,
    DRIFT,
    FAILING,
    FEATURES,
    HOLD_S,
    LIMIT_S,
    SLOW,
    STEPS,
    TABULAR_MODEL,
    TOTAL_S,
    About,
    Delivery,
    Scene,
    Seen,
    Story,
    missing,
)

ALL_MODELS = frozenset({"tabular", "vision", "llm"})


def delivered(status: str, about: About) -> frozenset[Delivery]:
    return frozenset(Delivery(channel, status, *about) for channel in CHANNELS)


FIRED = delivered("firing", SLOW) | delivered("firing", FAILING) | delivered("firing", DRIFT)
RESOLVED = delivered("resolved", SLOW) | delivered("resolved", FAILING)
COMPARED = frozenset((TABULAR_MODEL, f"x{number}") for number in range(FEATURES))
EVERYTHING = Seen(ALL_MODELS, FIRED | RESOLVED, COMPARED, frozenset({DRIFT[1:]}), is_over=True)
SILENT = "the other features and models stay silent"


def scenes(story: Story, seen: Seen, *times_s: float) -> list[Scene]:
    found = []
    for now_s in times_s:
        story.advance(seen, now_s)
        found.append(story.scene)
    return found


def test_nothing_seen_leaves_every_step_missing() -> None:
    assert missing(Seen()) == [step.words for step in STEPS]
    assert len(STEPS) == 10


def test_everything_seen_leaves_nothing_missing() -> None:
    assert missing(EVERYTHING) == []


def test_an_alert_that_reached_one_channel_only_is_missing() -> None:
    by_mail_only = replace(EVERYTHING, deliveries=EVERYTHING.deliveries - {Delivery("webhook", "firing", *SLOW)})

    assert missing(by_mail_only) == ["ModelIsSlow of standin-chat firing: delivered to webhook and e-mail"]


def test_a_feature_that_was_not_compared_is_missing() -> None:
    others = replace(EVERYTHING, compared=COMPARED - {(TABULAR_MODEL, "x7")} | {("digits", "x7")})

    assert missing(others) == ["all 30 features of the scikit-learn model are compared"]


@pytest.mark.parametrize(
    "about",
    [
        pytest.param(("FeatureDrifts", TABULAR_MODEL, "x2"), id="another feature"),
        pytest.param(("FeatureDrifts", "digits", "x1"), id="another model drifts"),
        pytest.param(("ModelFails", TABULAR_MODEL, ""), id="another model fails"),
    ],
)
def test_an_alert_that_the_demo_did_not_cause_makes_it_fail(about: About) -> None:
    one_more = EVERYTHING.deliveries | {Delivery("email", "firing", *about)}

    assert missing(replace(EVERYTHING, deliveries=one_more)) == [SILENT]


def test_a_drift_that_was_found_and_not_told_makes_it_fail() -> None:
    assert missing(replace(EVERYTHING, drifted=EVERYTHING.drifted | {(TABULAR_MODEL, "x2")})) == [SILENT]


def test_silence_is_known_at_the_end_only() -> None:
    assert missing(replace(EVERYTHING, is_over=False)) == [SILENT]


def test_a_complete_scene_stays_long_enough_to_be_read() -> None:
    story = Story.begin(100.0)
    story.advance(Seen(), 104.0)
    hold_s = HOLD_S[Scene.HEALTHY]

    found = scenes(story, Seen(ALL_MODELS), 105.0, 104.9 + hold_s, 105.0 + hold_s)

    assert found == [Scene.HEALTHY, Scene.HEALTHY, Scene.SLOW]


def test_an_incomplete_scene_ends_at_its_limit() -> None:
    story = Story.begin(100.0)
    limit_s = 100 + LIMIT_S[Scene.HEALTHY]

    assert scenes(story, Seen(), limit_s - 0.1, limit_s) == [Scene.HEALTHY, Scene.SLOW]


def test_the_story_goes_through_its_scenes_in_order_and_stays_at_the_end() -> None:
    story = Story.begin(0.0)
    seen = replace(EVERYTHING, is_over=False)

    found = scenes(story, seen, *range(0, 20, 2))

    assert list(dict.fromkeys(found)) == list(Scene)
    assert found[-1] is Scene.END


def test_the_story_ends_in_time_when_nothing_is_ever_seen() -> None:
    story = Story.begin(0.0)
    now_s = 0.0
    while story.scene is not Scene.END:
        now_s += 0.5
        story.advance(Seen(), now_s)

    assert now_s <= TOTAL_S + 1.5  # one look for each scene that is left then
