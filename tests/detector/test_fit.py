"""`monitorx reference fit`: a file of rows becomes a file of references, which server and application read."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from monitorx.backend.detector import RankLocationDetector, Status, drifted, read_references
from monitorx.backend.detector.fit import main
from monitorx.backend.errors import ConfigError
from monitorx.sketch import Anchor, choose
from tests.detector.build import sketch

EVERY_COLUMN = (
    "inputs are all numeric columns that no flag names: if there is a target or a score among them, name the inputs "
    "with --feature-columns and the scores with --score-columns"
)


def rows(count: int = 4_000) -> pa.Table:
    random = np.random.default_rng(0)
    amount = random.lognormal(3.0, 1.0, count)
    amount[::100] = np.nan
    return pa.table(
        {
            "age": random.normal(40.0, 10.0, count).round(),
            "amount": amount,
            "is_new": random.random(count) < 0.2,
            "country": ["CH"] * count,
            "score": random.beta(2, 5, count),
        }
    )


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    pyarrow.parquet.write_table(rows(), tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


def fit(file: Path, *more: str) -> tuple[int, Path]:
    output = file.with_name("reference.json")
    return main(["fit", str(file), "--model", "fraud", "--output", str(output), *more]), output


def test_a_parquet_file_becomes_a_reference_of_its_numeric_columns(
    parquet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output = fit(parquet, "--model-version", "3", "--score-columns", "score", "--output-columns", "is_new")

    references = read_references([output])
    assert code == 0
    assert list(references) == [
        ("fraud", "3", "age", "input"),
        ("fraud", "3", "amount", "input"),
        ("fraud", "3", "score", "score"),
        ("fraud", "3", "is_new", "output"),
    ]
    assert [(len(each.windows), each.whole.count) for each in references.values()] == [
        (13, 4_000.0),
        (13, 3_960.0),
        (13, 4_000.0),
        (13, 4_000.0),
    ]
    said = capsys.readouterr().out
    assert "4000 rows in 13 windows, 4 features" in said.splitlines()[0]
    assert said.splitlines()[1:] == [
        "inputs: age, amount",
        "scores: score",
        "outputs: is_new",
        "left out: country (not numeric)",
        EVERY_COLUMN,
    ]


def test_csv_and_parquet_of_the_same_rows_give_the_same_reference(parquet: Path, tmp_path: Path) -> None:
    fit(parquet)
    first = (tmp_path / "reference.json").read_bytes()
    pyarrow.csv.write_csv(rows(), tmp_path / "rows.csv")

    fit(tmp_path / "rows.csv")

    assert (tmp_path / "reference.json").read_bytes() == first


def test_the_file_is_what_the_reference_page_says(parquet: Path) -> None:
    _, output = fit(parquet, "--feature-columns", "age")

    document = json.loads(output.read_text())

    (feature,) = document.pop("features")
    windows = feature.pop("windows")
    assert document == {
        "version": 1,
        "id": document["id"],
        "model": "fraud",
        "model_version": "",
        "rows": 4_000,
    }
    assert feature == {"name": "age", "role": "input", "center": 0.0, "scale": 8.0}
    assert windows[0].keys() == {"scale", "zero_threshold", "zero_count", "positive", "negative", "min", "max"}
    page = (Path(__file__).parents[2] / "docs/reference/reference-file.md").read_text()
    names = [*document, "features", *feature, "windows", *windows[0], "offset", "counts"]
    assert [name for name in names if f"`{name}`" not in page] == []


def test_new_rows_like_the_file_are_no_drift_and_shifted_ones_are(parquet: Path) -> None:
    _, output = fit(parquet, "--feature-columns", "age")
    (reference,) = read_references([output]).values()
    random = np.random.default_rng(7)
    anchor = Anchor(0.0, 8.0)

    def verdict(shift: float) -> list[bool]:
        values = (random.normal(40.0, 10.0, 500) + shift).round()
        finding = RankLocationDetector().compare(reference, sketch(values, anchor))
        assert (finding.status, finding.method) == (Status.OK, "rank_location")
        return drifted([finding])

    assert (verdict(0.0), verdict(4.0)) == ([False], [True])


def test_anchors_come_from_all_of_the_file(tmp_path: Path) -> None:
    """A file that is sorted begins with its smallest values."""
    values = np.sort(np.random.default_rng(0).normal(0.0, 1.0, 6_000))
    pyarrow.parquet.write_table(pa.table({"x": values}), tmp_path / "rows.parquet")
    _, output = fit(tmp_path / "rows.parquet")

    feature = json.loads(output.read_text())["features"][0]

    assert (feature["center"], feature["scale"]) == (0.0, 1.0)
    assert choose(values) != Anchor(0.0, 1.0)


def test_few_rows_are_told_to_be_taken_as_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pyarrow.parquet.write_table(rows(1_000), tmp_path / "rows.parquet")

    code, _ = fit(tmp_path / "rows.parquet")

    assert code == 0
    assert "fewer than 8 windows: they are taken to be alike (iid)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "more", "words"),
    [
        pytest.param("no.parquet", None, (), "no.parquet does not exist", id="missing"),
        pytest.param("rows.xlsx", b"", (), "a name that ends in .parquet or .csv is expected", id="another format"),
        pytest.param("rows.csv", b"a,b\n1,2\n", (), "has 1 rows; a reference needs at least 300", id="few rows"),
        pytest.param("rows.csv", b"", (), "cannot be read", id="empty"),
        pytest.param("rows.parquet", b"PAR1", (), "cannot be read", id="damaged"),
        pytest.param(
            "rows.csv", b"a\n" + b"x\n" * 300, (), "there is no numeric column with a name among a", id="no numbers"
        ),
        pytest.param(
            "rows.csv", b"a,b\n" + b"1,x\n" * 300, ("--feature-columns", "b"), "'b' is not numeric", id="text"
        ),
        pytest.param("rows.csv", b"a\n" + b"1\n" * 300, ("--feature-columns", "c"), "'c' is not there", id="unknown"),
        pytest.param(
            "rows.csv", b"a,b\n" + b"1,\n" * 300, ("--feature-columns", "b"), "'b' is not numeric", id="no value"
        ),
        pytest.param(
            "rows.csv",
            b"a\n" + b"inf\n" * 300,
            (),
            "no column to fit; left out: a (no finite value;",
            id="no finite value",
        ),
        pytest.param(
            "rows.csv",
            b"a,b\n" + b"1,inf\n" * 300,
            ("--feature-columns", "a,b"),
            "'b' has no finite value",
            id="a named column without a finite value",
        ),
        pytest.param(
            "rows.csv",
            b"a,b\n" + b"1,2\n" * 299 + b"1,nan\n" * 10,
            ("--feature-columns", "b"),
            "'b' has 299 finite values; a reference needs at least 300",
            id="few finite values",
        ),
        pytest.param(
            "rows.csv", b"a,b,a\n" + b"1,2,3\n" * 300, (), "'a' is there 2 times", id="two columns of one name"
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_told_in_words(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes | None,
    more: tuple[str, ...],
    words: str,
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    code, _ = fit(tmp_path / name, *more)

    assert code == 1
    assert words in capsys.readouterr().err


def test_columns_with_few_finite_values_are_left_out_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = 3_000
    part = np.full(count, np.nan)
    part[: 10 * 299 : 10] = 1.0
    columns = {"x": np.arange(count) * 1.0, "part": part, "odd": np.full(count, np.inf), "none": np.full(count, np.nan)}
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "rows.parquet")

    code, output = fit(tmp_path / "rows.parquet")

    assert code == 0
    assert [name for _, _, name, _ in read_references([output])] == ["x"]
    assert capsys.readouterr().out.splitlines()[1:] == [
        "inputs: x",
        "left out: part (299 finite values; a reference needs at least 300)",
        "left out: odd, none (no finite value; a reference needs at least 300)",
        EVERY_COLUMN,
    ]


@pytest.mark.parametrize("name", ["", " ", "Unnamed: 0", "Unnamed: 0.1", "__index_level_0__"])
def test_a_column_without_a_name_is_left_out_unless_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    table = pa.table({name: np.arange(3_000), "x": np.arange(3_000), "fraud": np.arange(3_000) % 2})
    pyarrow.csv.write_csv(table, tmp_path / "rows.csv")

    shown = name if name.strip() else repr(name)

    _, output = fit(tmp_path / "rows.csv", "--feature-columns", "x")

    assert [key[2:] for key in read_references([output])] == [("x", "input")]
    assert capsys.readouterr().out.splitlines()[1:] == [
        "inputs: x",
        f"left out: {shown} (a column without a name, as the index of a frame is written)",
        "left out: fraud (not named by a flag)",
    ]

    fit(tmp_path / "rows.csv")

    assert [key[2:] for key in read_references([output])] == [("x", "input"), ("fraud", "input")]

    if name.strip():
        fit(tmp_path / "rows.csv", "--feature-columns", name)

        assert [key[2:] for key in read_references([output])] == [(name, "input")]


def test_a_column_whose_name_only_begins_like_an_index_is_taken(tmp_path: Path) -> None:
    names = ["Unnamed: total", "unnamed", "__index_level__"]
    pyarrow.parquet.write_table(pa.table({name: np.arange(300.0) for name in names}), tmp_path / "rows.parquet")

    _, output = fit(tmp_path / "rows.parquet")

    assert [name for _, _, name, _ in read_references([output])] == names


def test_no_more_than_twenty_columns_stand_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = {f"x{number}": np.arange(3_000.0) for number in range(23)}
    words = {f"w{number}": ["a"] * 3_000 for number in range(21)}
    pyarrow.parquet.write_table(pa.table({**numbers, **words}), tmp_path / "rows.parquet")

    fit(tmp_path / "rows.parquet")

    assert capsys.readouterr().out.splitlines()[1:] == [
        f"inputs: {', '.join(list(numbers)[:20])}, … and 3 more",
        f"left out: {', '.join(list(words)[:20])}, … and 1 more (not numeric)",
        EVERY_COLUMN,
    ]


@pytest.mark.parametrize(
    ("more", "flags"),
    [
        pytest.param(
            ("--feature-columns", "age,score", "--score-columns", "score"),
            "--feature-columns and --score-columns",
            id="input and score",
        ),
        pytest.param(
            ("--score-columns", "score", "--output-columns", "score"),
            "--score-columns and --output-columns",
            id="score and output",
        ),
    ],
)
def test_a_column_of_two_roles_is_refused(
    parquet: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], flags: str
) -> None:
    code, output = fit(parquet, *more)

    assert (code, output.exists()) == (1, False)
    assert capsys.readouterr().err == (
        f"monitorx reference fit: the column 'score' is named in both {flags}; a column has one role, name it once\n"
    )


@pytest.mark.parametrize(
    ("place", "why"),
    [
        pytest.param("nope/x.json", "the folder {tmp}/nope does not exist", id="no folder"),
        pytest.param("rows.parquet/x.json", "the folder {tmp}/rows.parquet is not a folder", id="a file for a folder"),
        pytest.param("", "it is a folder; the name of a file is expected", id="a folder"),
        pytest.param("n" * 252, "File name too long", id="a name too long for the file beside it"),
    ],
)
def test_a_place_that_takes_no_file_is_told_as_it_was_given(
    parquet: Path, capsys: pytest.CaptureFixture[str], place: str, why: str
) -> None:
    output = parquet.parent / place
    before = sorted(parquet.parent.iterdir())

    code = main(["fit", str(parquet), "--model", "fraud", "--output", str(output)])

    assert (code, sorted(parquet.parent.iterdir())) == (1, before)
    assert capsys.readouterr().err == (
        f"monitorx reference fit: {output} cannot be written: {why.format(tmp=parquet.parent)}\n"
    )


def test_a_place_is_looked_at_before_the_rows_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["fit", str(tmp_path / "no.csv"), "--model", "fraud", "--output", str(tmp_path / "nope/x.json")])

    assert "nope/x.json cannot be written" in capsys.readouterr().err


def test_no_window_has_fewer_finite_values_than_a_window_must_have(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=6_000)
    values[::2] = np.nan
    values[:1_000] = np.nan
    pyarrow.parquet.write_table(pa.table({"x": values}), tmp_path / "rows.parquet")

    _, output = fit(tmp_path / "rows.parquet")

    (reference,) = read_references([output]).values()
    assert [window.count for window in reference.windows] == [313.0] * 4 + [312.0] * 4


def test_more_inputs_than_an_application_sends_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = {f"x{number}": np.arange(300.0) for number in range(101)}
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "rows.parquet")

    fit(tmp_path / "rows.parquet")
    many = capsys.readouterr().out
    fit(tmp_path / "rows.parquet", "--feature-columns", ",".join(list(columns)[:100]))
    enough = capsys.readouterr().out

    words = "101 inputs: an application sends the first 100 of a model; name them with --feature-columns"
    assert (words in many, "an application sends" in enough) == (True, False)


FEATURE = {"name": "a", "role": "input", "center": 0.0, "scale": 1.0}
WINDOW = {
    "scale": 6,
    "zero_threshold": 0.015625,
    "zero_count": 1,
    "min": 0.0,
    "max": 0.0,
    "positive": {"offset": 0, "counts": []},
    "negative": {"offset": 0, "counts": []},
}


def document(**changed: object) -> str:
    whole = {"version": 1, "model": "m", "model_version": "", "rows": 1}
    return json.dumps(with_id({**whole, "features": [{**FEATURE, "windows": [WINDOW]}], **changed}))


def with_id(document: dict[str, Any]) -> dict[str, Any]:
    """*document* with the id that its content has."""
    content = [document[name] for name in ("model", "model_version", "rows", "features")]
    text = json.dumps(content, separators=(",", ":")).encode()
    return {**document, "id": f"fitted-{hashlib.sha256(text).hexdigest()[:12]}"}


def window(**changed: object) -> str:
    return document(features=[{**FEATURE, "windows": [{**WINDOW, **changed}]}])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("{", "is not a reference", id="cut off"),
        pytest.param("[" * 100_000, "is not a reference", id="deep"),
        pytest.param(document(version=2), "has version 2, and this MonitorX reads 1", id="newer"),
        pytest.param(document(features=[{**FEATURE, "windows": []}]), "1 to 500 windows, not 0", id="no window"),
        pytest.param(document(features=[{**FEATURE, "windows": [WINDOW] * 501}]), "not 501", id="many windows"),
        pytest.param(
            document(features=[{**FEATURE, "scale": 0.0, "windows": [WINDOW]}]), "no sense (anchor)", id="no unit"
        ),
        pytest.param(window(zero_count=-1), "no sense (count)", id="count below zero"),
        pytest.param(window(positive={"offset": 0, "counts": [300, -5]}), "no sense (count)", id="bucket below zero"),
        pytest.param(window(positive={"offset": 0, "counts": [2**63]}), "no sense (count)", id="huge count"),
        pytest.param(window(positive={"offset": 2**62, "counts": [1]}), "no sense (offset)", id="far offset"),
        pytest.param(window(min=1.0, max=-1.0), "no sense (min above max)", id="min above max"),
        pytest.param(window(zero_count=0), "no sense (count)", id="no value"),
        pytest.param(document(odd=1), "unknown field `odd`", id="unknown key"),
        pytest.param(
            document(features=[{**FEATURE, "windows": [WINDOW]}] * 2), "a reference for input 'a' of 'm'", id="twice"
        ),
    ],
)
def test_a_reference_that_cannot_be_used_stops_the_start(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "reference.json").write_text(text)

    with pytest.raises(ConfigError) as refused:
        read_references([tmp_path / "reference.json"])

    assert words in str(refused.value)


def test_a_reference_that_was_changed_is_refused(parquet: Path) -> None:
    _, output = fit(parquet)
    whole = json.loads(output.read_text())
    whole["features"][0]["windows"][0]["zero_count"] += 1
    output.write_text(json.dumps(whole))

    with pytest.raises(ConfigError, match=r"reference\.json was changed after it was fitted; fit it again"):
        read_references([output])


def test_a_reference_may_be_laid_out_anew(parquet: Path) -> None:
    """The id is of the content: white space is none."""
    _, output = fit(parquet)
    before = read_references([output])
    output.write_text(json.dumps(json.loads(output.read_text()), indent=2))

    assert [each.id for each in read_references([output]).values()] == [each.id for each in before.values()]


def test_a_reference_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"reference\.json cannot be read"):
        read_references([tmp_path / "reference.json"])
