from datetime import timedelta
from pathlib import Path

import pytest

from monitorx.alerting.document import DocumentError, Problems, Section, parse, parse_duration, read

TEXT = """\
name: ops
size: 3
on: 2026-01-01
every: 1m30s
loud: true
tags: [a, 5]
labels: {team: 7, ratio: 0.50}
steps:
  - at: 12:30
  - at: null
"""


def wrong(text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        parse(text, "f")
    return str(caught.value).splitlines()


def test_a_document_is_plain_data_with_lines_and_paths() -> None:
    root = parse(TEXT, "f.yaml")

    assert root.value == {
        "name": "ops",
        "size": 3,
        "on": "2026-01-01",
        "every": "1m30s",
        "loud": True,
        "tags": ["a", 5],
        "labels": {"team": 7, "ratio": 0.5},
        "steps": [{"at": "12:30"}, {"at": None}],
    }
    at = root.items()["steps"].elements()[1].items()["at"]
    assert (at.path, at.line, at.file) == ("steps[1].at", 10, "f.yaml")
    assert root.items()["labels"].items()["ratio"].text == "0.50"


def test_a_section_reads_each_type() -> None:
    problems = Problems()
    section = Section(parse(TEXT, "f"), problems, parse(TEXT, "f").items().keys())

    assert section.text("name") == "ops"
    assert (section.number("size"), section.boolean("loud")) == (3, True)
    assert section.duration("every") == timedelta(seconds=90)
    assert section.choice("name", ["ops", "dev"]) == "ops"
    assert section.strings("tags") == ("a", "5")
    assert section.string_map("labels") == {"team": "7", "ratio": "0.50"}
    assert [node.line for node in section.elements("steps")] == [9, 10]
    assert problems.found == []


def test_a_section_gives_defaults_for_what_is_missing_or_empty() -> None:
    problems = Problems()
    section = Section(parse("a:\n", "f"), problems, ["a"])

    assert (section.text("a", "x"), section.number("b", 2.0), section.boolean("b", True)) == ("x", 2.0, True)
    assert (section.duration("b", timedelta(1)), section.choice("b", ["c"], "c")) == (timedelta(1), "c")
    assert (section.strings("b", ["s"]), section.string_map("b"), section.elements("b")) == (("s",), {}, ())
    assert ("a" in section, "b" in section, section.entry("b")) == (True, False, None)
    assert problems.found == []


def test_everything_wrong_in_a_section_is_said_in_the_order_of_lines() -> None:
    problems = Problems()
    root = parse("wait: soon\nnmae: x\nsize: big\nloud: 1\nmode: fst\ntags: {}\nlabels: []\nsteps: x\nin: [1]\n", "f")
    section = Section(root, problems, ["wait", "name", "size", "loud", "mode", "tags", "labels", "steps", "in"])

    section.text("name")
    section.text("in")
    section.duration("wait")
    section.number("size")
    section.boolean("loud")
    section.choice("mode", ["fast", "slow"])
    section.strings("tags")
    section.string_map("labels")
    section.elements("steps")

    with pytest.raises(DocumentError) as caught:
        problems.check()
    assert str(caught.value).splitlines() == [
        "f:1: name is missing",
        "f:1: wait: 'soon' is not a duration; write a number and a unit: 500ms, 30s, 5m, 1h30m, 1d",
        "f:2: nmae: unknown key; did you mean name?",
        "f:3: size: must be a number, not the string 'big'",
        "f:4: loud: must be true or false, not the value 1",
        "f:5: mode: 'fst' must be one of fast, slow; did you mean fast?",
        "f:6: tags: must be a list of strings, not a mapping",
        "f:7: labels: must be a mapping of names to strings, not a list",
        "f:8: steps: must be a list, not the string 'x'",
        "f:9: in: must be a string, not a list",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: 1\nb: 2\na: 3\n", "f:3: a: the key a stands twice; first on line 1", id="double key"),
        pytest.param("a: [1\n", "f:2: not YAML: ", id="syntax"),
        pytest.param("a: 1\n---\nb: 2\n", "f:2: not YAML: ", id="two documents"),
        pytest.param("a: !!python/name:os.system x\n", "f:1: a: the tag ", id="object"),
        pytest.param("? [1]\n: 2\n", "f:1: ?: a key must be a string", id="list as key"),
        pytest.param("a: &a [*a]\n", "f:1: a[0]", id="endless alias"),
        pytest.param("a: " + "[" * 3000, "f: is nested deeper than 64 levels", id="depth"),
        pytest.param("a: \x00\n", "f: not YAML: ", id="control character"),
    ],
)
def test_what_is_no_document_is_refused_with_its_line(text: str, expected: str) -> None:
    (line,) = wrong(text)

    assert line.startswith(expected)


def test_aliases_cannot_stand_for_billions_of_values() -> None:
    text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    text += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))

    assert "the document has more than 100000 values, aliases counted" in wrong(text)[0]


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")

    with pytest.raises(DocumentError, match=r"x.yaml:2: is not UTF-8 text"):
        read(path)
    with pytest.raises(DocumentError, match=r"none: cannot be read: No such file"):
        read(tmp_path / "none")


def test_an_empty_document_is_an_empty_mapping() -> None:
    assert parse("", "f").value == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("0s", 0), ("250ms", 0.25), ("1h30m", 5400), ("1d", 86400), ("2w", 1209600), ("10y", 315360000)],
)
def test_durations_are_read_in_prometheus_words(text: str, expected: float) -> None:
    assert parse_duration(text) == timedelta(seconds=expected)


@pytest.mark.parametrize("text", ["", "5", "-5m", "5 m", "1.5h", "m", "9" * 40 + "d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)
