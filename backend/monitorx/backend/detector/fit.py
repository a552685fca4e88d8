"""
`monitorx reference fit data.parquet|csv`: what a model's features look like in a file, as a reference.

The rows are taken in the order of the file and cut into windows of equal size, so that a file in the order of time also
tells how much windows differ from each other when all is well.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from monitorx.backend.detector import column, reference_file
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
    asked = {
        "input": arguments.feature_columns,
        "score": arguments.score_columns,
        "output": arguments.output_columns,
    }
    try:
        column.check(asked)
        reference_file.check_place(arguments.output)
        table = _read(arguments.file)
        columns = column.choose(table, asked)
        values, left_out = column.read(table, columns, asked)
        features = [
            _fit(values[name], name, role) for role, names in columns.items() for name in names if name in values
        ]
        written = reference_file.write(
            arguments.output, arguments.model, arguments.model_version, table.num_rows, features
        )
    except (ConfigError, OSError) as error:
        print(f"monitorx reference fit: {error}", file=sys.stderr)
        return 1
    windows = max(len(feature.windows) for feature in features)
    print(f"{arguments.output}: {written}, {table.num_rows} rows in {windows} windows, {len(features)} features")
    print("\n".join([*_taken(features), *column.left_out_lines(left_out), *_advice(features, windows, asked)]))
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
    fit.add_argument(
        "--feature-columns",
        type=_names,
        default=(),
        help="inputs of the model, comma-separated (default: every numeric column that has a name, a target too)",
    )
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


def _fit(values: Floats, name: str, role: str) -> reference_file.Feature:
    # From all of the file, not only its first rows.
    anchor = choose(values[np.linspace(0, values.size - 1, min(values.size, SAMPLE)).astype(np.int64)])
    folded = [fold(part, anchor) for part in np.array_split(values, window_count(values.size))]
    return reference_file.feature_of(name, role, anchor, folded)


def _taken(features: Sequence[reference_file.Feature]) -> list[str]:
    """The columns that the reference speaks of, by role."""
    names = {role: [feature.name for feature in features if feature.role == role] for role in column.FLAGS}
    return [f"{role}s: {column.listed(taken)}" for role, taken in names.items() if taken]


def _advice(features: Sequence[reference_file.Feature], windows: int, asked: column.Columns) -> list[str]:
    """What the reader may want to do otherwise."""
    lines = []
    inputs = sum(feature.role == "input" for feature in features)
    if inputs and not asked["input"]:
        lines.append(
            "inputs are all numeric columns that no flag names: if there is a target or a score among them, name the "
            "inputs with --feature-columns and the scores with --score-columns"
        )
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
    return lines
