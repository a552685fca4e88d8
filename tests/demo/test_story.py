from monitorx.backend.demo.story import (
    FAILING_ALERT,
    HOLD_S,
    LIMIT_S,
    SLOW_ALERT,
    STEPS,
    TOTAL_S,
    Delivery,
    Scene,
    Seen,
    Story,
    missing,
)

ALL_MODELS = frozenset({"tabular", "vision", "llm"})


def delivered(status: str, alert: str) -> frozenset[Delivery]:
    return frozenset({Delivery("webhook", status, alert), Delivery("email", status, alert)})


FIRED = delivered("firing", SLOW_ALERT) | delivered("firing", FAILING_ALERT)
RESOLVED = delivered("resolved", SLOW_ALERT) | delivered("resolved", FAILING_ALERT)


def scenes(story: Story, seen: Seen, *times_s: float) -> list[Scene]:
    found = []
    for now_s in times_s:
        story.advance(seen, now_s)
        found.append(story.scene)
    return found


def test_nothing_seen_leaves_every_step_missing() -> None:
    assert missing(Seen()) == [step.words for step in STEPS]
    assert len(STEPS) == 7


def test_everything_seen_leaves_nothing_missing() -> None:
    assert missing(Seen(ALL_MODELS, FIRED | RESOLVED)) == []


def test_an_alert_that_reached_one_channel_only_is_missing() -> None:
    by_mail_only = FIRED - {Delivery("webhook", "firing", SLOW_ALERT)}

    assert missing(Seen(ALL_MODELS, by_mail_only | RESOLVED)) == ["ModelIsSlow firing: delivered to webhook and e-mail"]


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
    seen = Seen(ALL_MODELS, FIRED | RESOLVED)

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
