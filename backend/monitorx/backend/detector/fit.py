"""
`monitorx reference fit data.parquet|csv`: what a model's features look like in a file, as a reference.

The rows are taken in the order of the file and cut into windows of equal size, so that a file in the order of time also
tells how much windows differ from each other when all is well.
"""

import argparse
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from monitorx.backend.detector import reference_file
from monitorx.backend.detector.calibration import FEWEST_WINDOWS
from monitorx.backend.detector.location import SMALLEST
from monitorx.backend.detector.sketch import Floats
from monitorx.backend.errors import ConfigError
from monitorx.sketch import choose, fold
from monitorx.sketch.anchor import SAMPLE

MOST_WINDOWS = 100
MOST_INPUTS = 100  # of a model that an application sends


def main(argv: Sequence[str]) -> int:
    """Run `monitorx reference ...`; its exit code."""
    arguments = _parser().parse_args(argv)
    try:
        table = _read(arguments.file)
        columns = _columns(table, arguments.feature_columns, arguments.score_columns, arguments.output_columns)
        values, left_out = _values(table, columns, must_have=_named(arguments))
        features = [
            _fit(values[name], name, role) for role, names in columns.items() for name in names if name in values
        ]
        written = reference_file.write(
            arguments.output, arguments.model, arguments.model_version, table.num_rows, features
        )
    except (ConfigError, OSError) as error:
        print(f"monitorx reference fit: {error}", file=sys.stderr)
        return 1
    print(_report(arguments.output, written, table, features, left_out))
    return 0


def window_count(values: int) -> int:
    """
    How many windows so many *values* of a column are cut into: none has fewer values than a window must have.

    >>> window_count(1_000), window_count(3_000), window_count(1_000_000)
    (3, 10, 100)
    """
    return max(1, min(MOST_WINDOWS, values // SMALLEST))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("monitorx reference", description="References: what is normal for a model.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    fit = commands.add_parser("fit", help="fit a reference to a file of rows", description=__doc__)
    fit.add_argument("file", type=Path, help="rows, .parquet or .csv, in the order of time if they have one")
    fit.add_argument("--model", required=True, help="name of the model, as its calls carry it")
    fit.add_argument("--model-version", default="", help="only for this version (default: for any)")
    fit.add_argument("--output", type=Path, default=Path("reference.json"), help="default: reference.json")
    fit.add_argument("--feature-columns", type=_names, default=(), help="comma-separated (default: numeric columns)")
    fit.add_argument("--score-columns", type=_names, default=(), help="columns with scores of the model, not inputs")
    fit.add_argument("--output-columns", type=_names, default=(), help="columns with predictions of a regression")
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _read(path: Path) -> pa.Table:
    try:
        if path.suffix == ".parquet":
            table = pyarrow.parquet.read_table(path)
        elif path.suffix == ".csv":
            table = pyarrow.csv.read_csv(path)
        else:
            raise ConfigError(f"{path}: a name that ends in .parquet or .csv is expected")
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist") from None
    except pa.ArrowException as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    if table.num_rows < SMALLEST:
        raise ConfigError(f"{path} has {table.num_rows} rows; a reference needs at least {SMALLEST}")
    return table


def _columns(
    table: pa.Table, inputs: Sequence[str], scores: Sequence[str], outputs: Sequence[str]
) -> dict[str, Sequence[str]]:
    """The columns of each role."""
    numeric = [each.name for each in table.schema if _is_numeric(each.type)]
    for name in (*inputs, *scores, *outputs):
        if name not in numeric:
            what = "is not numeric" if name in table.column_names else "is not there"
            raise ConfigError(f"the column {name!r} {what}; numeric columns are {', '.join(numeric) or 'none'}")
    inputs = inputs or [name for name in numeric if name not in (*scores, *outputs)]
    if not (inputs or scores or outputs):
        raise ConfigError(f"there is no numeric column among {', '.join(table.column_names)}")
    for name in (*inputs, *scores, *outputs):
        if table.column_names.count(name) > 1:
            raise ConfigError(
                f"the column {name!r} is there {table.column_names.count(name)} times; each needs a name of its own"
            )
    return {"input": inputs, "score": scores, "output": outputs}


def _is_numeric(kind: pa.DataType) -> bool:
    is_a = pa.types
    return bool(is_a.is_integer(kind) or is_a.is_floating(kind) or is_a.is_boolean(kind) or is_a.is_decimal(kind))


def _named(arguments: argparse.Namespace) -> Collection[str]:
    """The columns that were asked for by name."""
    return {*arguments.feature_columns, *arguments.score_columns, *arguments.output_columns}


def _values(
    table: pa.Table, columns: Mapping[str, Sequence[str]], *, must_have: Collection[str]
) -> tuple[dict[str, Floats], dict[str, str]]:
    """The finite values of each column; and of those that have too few, which are left out, why."""
    values: dict[str, Floats] = {}
    left_out: dict[str, str] = {}
    for name in dict.fromkeys(name for names in columns.values() for name in names):
        finite = _finite(table.column(name))
        if finite.size >= SMALLEST:
            values[name] = finite
            continue
        why = (
            f"{finite.size} finite values; a reference needs at least {SMALLEST}" if finite.size else "no finite value"
        )
        if name in must_have:
            raise ConfigError(f"the column {name!r} has {why}; leave it out with --feature-columns")
        left_out[name] = f"the column {name!r} has {why}"
    if not values:
        raise ConfigError("; ".join(["there is no column to fit", *left_out.values()]))
    return values, left_out


def _finite(column: pa.ChunkedArray) -> Floats:
    values: Floats = pc.cast(column, pa.float64(), safe=False).to_numpy()
    return values[np.isfinite(values)]


def _fit(values: Floats, name: str, role: str) -> reference_file.Feature:
    # From all of the file, not only its first rows.
    anchor = choose(values[np.linspace(0, values.size - 1, min(values.size, SAMPLE)).astype(np.int64)])
    folded = [fold(part, anchor) for part in np.array_split(values, window_count(values.size))]
    return reference_file.feature_of(name, role, anchor, folded)


def _report(
    path: Path,
    written: str,
    table: pa.Table,
    features: Sequence[reference_file.Feature],
    left_out: Mapping[str, str],
) -> str:
    windows = max(len(feature.windows) for feature in features)
    lines = [f"{path}: {written}, {table.num_rows} rows in {windows} windows, {len(features)} features"]
    told = {*left_out, *(feature.name for feature in features)}
    skipped = [name for name in table.column_names if name not in told]
    if skipped:
        lines.append(f"left out: {', '.join(skipped)}")
    lines += [f"left out: {why}" for why in left_out.values()]
    inputs = sum(feature.role == "input" for feature in features)
    if inputs > MOST_INPUTS:
        lines.append(
            f"{inputs} inputs: an application sends the first {MOST_INPUTS} of a model; "
            "name them with --feature-columns"
        )
    if windows < FEWEST_WINDOWS:
        lines.append(
            f"fewer than {FEWEST_WINDOWS} windows: they are taken to be alike (iid), and what changes by the hour or "
            f"day alarms; {FEWEST_WINDOWS * SMALLEST} rows or more tell how much windows differ"
        )
    return "\n".join(lines)
