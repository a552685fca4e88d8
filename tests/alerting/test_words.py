"""Fingerprints, matchers, templates, secrets: the small things made of text."""

import pickle
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitorx.alerting.channel.channel import plain
from monitorx.alerting.fingerprint import fingerprint
from monitorx.alerting.matcher import LONGEST, compiled, parse
from monitorx.alerting.secret import Secret, without_secrets
from monitorx.alerting.template import Facts, problems, render

FACTS = Facts({"model": "fraud", "service.name": "shop"}, 0.0512, 0.01, {"window": "5m"})


def test_a_fingerprint_never_changes() -> None:
    assert fingerprint({"alertname": "Slow", "model": "fraud"}) == "2011f296fe96bc96"


@given(st.dictionaries(st.text(min_size=1), st.text()), st.dictionaries(st.text(min_size=1), st.text()))
def test_fingerprints_are_equal_for_equal_labels_only(one: dict[str, str], two: dict[str, str]) -> None:
    same = {k: v for k, v in one.items() if v} == {k: v for k, v in two.items() if v}

    assert (fingerprint(one) == fingerprint(dict(reversed(two.items())))) is same


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        pytest.param('severity="critical"', {"severity": "critical"}, True, id="equal"),
        pytest.param("severity=critical", {"severity": "warning"}, False, id="bare, not equal"),
        pytest.param('model=~"fraud|churn"', {"model": "churn"}, True, id="pattern"),
        pytest.param('model=~"fraud"', {"model": "fraud-2"}, False, id="a pattern is anchored"),
        pytest.param('model!~"fraud.*"', {"model": "fraud-2"}, False, id="not the pattern"),
        pytest.param('team=""', {}, True, id="missing is empty"),
        pytest.param('team!=""', {}, False, id="missing is not something"),
        pytest.param(r'path = "a\"b\\c"', {"path": 'a"b\\c'}, True, id="escapes"),
        pytest.param('service.name="x"', {"service.name": "x"}, True, id="dots"),
    ],
)
def test_a_matcher_picks_by_label(text: str, labels: dict[str, str], expected: bool) -> None:
    matcher = parse(text)

    assert matcher.matches(labels) is expected
    assert parse(str(matcher)).matches(labels) is expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("severity", "is not a matcher", id="no operator"),
        pytest.param('a="b", c="d"', "is not a matcher", id="two"),
        pytest.param('a=~"("', "is not a regular expression", id="bad pattern"),
        pytest.param('a=~"(a+)+$"', "could take too long", id="nested repeats"),
        pytest.param('a=~"(?:[a|)]x|a)*"', "could take too long", id="repeated choice"),
        pytest.param('a=~"((a?){2,}){20}"', "could take too long", id="deep"),
        pytest.param('a=~".*a.*a.*a.*a.*b"', "could take too long", id="many repeats"),
        pytest.param('a=~"(?x)(a+) +"', "without the flag x", id="verbose"),
    ],
)
def test_what_is_no_matcher_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(".*fraud.*-[0-9]+", id="three repeats"),
        pytest.param(r"([0-9]{1,3}\.){3}[0-9]{1,3}", id="an address"),
        pytest.param(r"a.*|b.*|c.*|d.*|(?P<e>[+*(]+)\)|\++", id="a choice of repeats"),
        pytest.param("|".join(f"model-{number}" for number in range(1000)), id="many names"),
        pytest.param(r"(?i:https?)://(?!x)[^/]+(/.*)?", id="a place"),
    ],
)
def test_a_pattern_is_accepted_where_a_long_value_is_soon_judged(pattern: str) -> None:
    value = "0" * 1_000_000

    before = time.process_time()
    compiled(pattern).fullmatch(value[:LONGEST])

    assert time.process_time() - before < 0.5


def test_a_pattern_sees_the_first_256_characters() -> None:
    assert parse('a=~"x+"').matches({"a": "x" * 256 + "y"})
    assert not parse('a=~"x+"').matches({"a": "x" * 255 + "y"})


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("{{ $labels.model }} at {{$value}}", "fraud at 0.0512", id="label and value"),
        pytest.param("{{ $labels.service.name }}", "shop", id="a dotted label"),
        pytest.param("{{ $value | humanizePercentage }} over {{ $threshold }}", "5.12% over 0.01", id="percentage"),
        pytest.param("{{ $value | humanizeDuration }} in {{ $evidence.window }}", "51.2ms in 5m", id="duration"),
        pytest.param("{{ $labels.modle }}", "<no label modle>", id="unknown label"),
        pytest.param(
            "{{ .Values }}",
            "<cannot fill in '.Values': write $labels.NAME, $evidence.NAME, $value or $threshold>",
            id="another template language",
        ),
        pytest.param(
            "{{ $value | shout }}",
            "<unknown function 'shout': write humanize, humanizeDuration, humanizePercentage>",
            id="unknown function",
        ),
        pytest.param(
            "{{ $labels.model | humanize }}", "<'humanize' works on $value and $threshold only>", id="no number"
        ),
        pytest.param("{{ unfinished", "{{ unfinished", id="unfinished"),
    ],
)
def test_a_template_is_filled_in_or_says_why_not(template: str, expected: str) -> None:
    assert render(template, FACTS) == expected
    assert bool(problems(template)) is (expected.startswith("<") and "<no label" not in expected)


def test_a_label_is_never_read_as_a_template() -> None:
    assert render("{{ $labels.model }}", Facts({"model": "{{ $value }}"}, 1.0)) == "{{ $value }}"


@given(st.text(alphabet=st.sampled_from("{}$|. labelsvu\n"), max_size=60), st.one_of(st.none(), st.floats()))
def test_rendering_never_raises(template: str, value: float | None) -> None:
    assert len(render(template, Facts({}, value))) <= 4096
    assert len(render("{{ $value | humanizeDuration }}", Facts({}, value))) <= 4096


@given(st.text())
def test_plain_text_has_no_characters_that_steer(text: str) -> None:
    shown = plain(text, 50)

    assert len(shown) <= 50
    assert not any(char < " " or char in "\x7f\x85\u2028\u2029\u202e" or "\ud800" <= char <= "\udfff" for char in shown)


def test_a_secret_shows_itself_to_nobody(tmp_path: Path) -> None:
    secret = Secret("hunter2")

    assert f"{secret} {secret!r} {[secret]} {secret:}" == "<secret> <secret> [<secret>] <secret>"
    assert secret.reveal() == "hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_secret_in_a_file_is_read_again_at_every_use(tmp_path: Path) -> None:
    path = tmp_path / "token"
    secret = Secret.file(path)
    seen = []
    for value in ("one", "two"):
        path.write_text(value + "\n")
        seen.append(secret.reveal())

    assert seen == ["one", "two"]
    assert without_secrets("said two", (secret, Secret(""))) == "said <secret>"
