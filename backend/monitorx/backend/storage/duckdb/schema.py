"""
The tables of the DuckDB store and the version of their shape.

A table of rows has the columns of its Arrow schema less `series` (local to a process), and the journal `position`. A
pane's latency histogram is spread over columns, so that DuckDB itself can add histograms up. Panes and results also
have a `revision`, the number of the write that brought them: by it a follower finds what it has not seen.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from monitorx.backend.batch import SCHEMAS
from monitorx.backend.errors import ConfigError

VERSION = 2

# From a version to the statements that make the next one of it.
MIGRATIONS: Mapping[int, Sequence[str]] = {
    1: (
        *(
            statement
            for table in ("pane", "open_pane", "meta")
            for statement in (
                f"ALTER TABLE {table} ADD COLUMN revision BIGINT DEFAULT 0",
                f"ALTER TABLE {table} ALTER COLUMN revision SET NOT NULL",
                f"ALTER TABLE {table} ALTER COLUMN revision DROP DEFAULT",
            )
        ),
        """CREATE TABLE drift (
            start_ns BIGINT NOT NULL, end_ns BIGINT NOT NULL, tenant VARCHAR NOT NULL, model VARCHAR NOT NULL,
            version VARCHAR NOT NULL, feature VARCHAR NOT NULL, role VARCHAR NOT NULL, method VARCHAR NOT NULL,
            status VARCHAR NOT NULL, drifted BOOLEAN NOT NULL, statistic DOUBLE, p DOUBLE, score DOUBLE, psi DOUBLE,
            events DOUBLE NOT NULL, reference VARCHAR NOT NULL, revision BIGINT NOT NULL)""",
        """CREATE TABLE verdict (
            time_ns BIGINT NOT NULL, tenant VARCHAR NOT NULL, rule VARCHAR NOT NULL, labels VARCHAR NOT NULL,
            state VARCHAR NOT NULL, value DOUBLE, threshold DOUBLE NOT NULL, revision BIGINT NOT NULL)""",
        """CREATE TABLE transition (
            time_ns BIGINT NOT NULL, tenant VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL, rule VARCHAR NOT NULL,
            severity VARCHAR NOT NULL, labels VARCHAR NOT NULL, before VARCHAR NOT NULL, after VARCHAR NOT NULL,
            value DOUBLE, revision BIGINT NOT NULL)""",
        "CREATE TABLE follower (name VARCHAR NOT NULL, revision BIGINT NOT NULL)",
    ),
}

PANE_LABELS = ("tenant", "service", "instance", "model", "version", "kind", "operation", "source")
PANE_TOTALS = ("requests", "errors", "input_tokens", "output_tokens", "cost_usd", "samples")
PANE_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in PANE_LABELS),
        pa.field("start_ns", pa.int64(), nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in PANE_TOTALS),
        pa.field("latency_offset", pa.int32(), nullable=False),
        pa.field("latency_counts", pa.list_(pa.float64()), nullable=False),
        pa.field("latency_zero", pa.float64(), nullable=False),
        pa.field("latency_sum_s", pa.float64(), nullable=False),
        pa.field("latency_max_s", pa.float64(), nullable=False),  # -inf: no call
    ]
)
CURSOR_SCHEMA = pa.schema(
    [
        pa.field("series_key", pa.uint64(), nullable=False),
        pa.field("value", pa.binary(), nullable=False),
        pa.field("written_ns", pa.int64(), nullable=False),
    ]
)
DRIFT_SCHEMA = pa.schema(
    [
        pa.field("start_ns", pa.int64(), nullable=False),
        pa.field("end_ns", pa.int64(), nullable=False),
        *(
            pa.field(name, pa.string(), nullable=False)
            for name in ("tenant", "model", "version", "feature", "role", "method", "status")
        ),
        pa.field("drifted", pa.bool_(), nullable=False),
        *(pa.field(name, pa.float64()) for name in ("statistic", "p", "score", "psi")),
        pa.field("events", pa.float64(), nullable=False),
        pa.field("reference", pa.string(), nullable=False),
    ]
)
VERDICT_SCHEMA = pa.schema(
    [
        pa.field("time_ns", pa.int64(), nullable=False),
        *(pa.field(name, pa.string(), nullable=False) for name in ("tenant", "rule", "labels", "state")),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64(), nullable=False),
    ]
)
TRANSITION_SCHEMA = pa.schema(
    [
        pa.field("time_ns", pa.int64(), nullable=False),
        *(
            pa.field(name, pa.string(), nullable=False)
            for name in ("tenant", "fingerprint", "rule", "severity", "labels", "before", "after")
        ),
        pa.field("value", pa.float64()),
    ]
)
_POSITION = pa.field("position", pa.int64(), nullable=False)
_REVISION = pa.field("revision", pa.int64(), nullable=False)

TABLES: Mapping[str, pa.Schema] = {
    **{
        kind.value: pa.schema([*(each for each in schema if each.name != "series"), _POSITION])
        for kind, schema in SCHEMAS.items()
    },
    "pane": PANE_SCHEMA.append(_REVISION),
    "open_pane": PANE_SCHEMA.append(_REVISION),
    "cursor": CURSOR_SCHEMA,
    "drift": DRIFT_SCHEMA.append(_REVISION),
    "verdict": VERDICT_SCHEMA.append(_REVISION),
    "transition": TRANSITION_SCHEMA.append(_REVISION),
    "follower": pa.schema([pa.field("name", pa.string(), nullable=False), _REVISION]),
}


def prepare(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    *,
    version: int = VERSION,
    migrations: Mapping[int, Sequence[str]] = MIGRATIONS,
) -> None:
    """
    Make the tables in a new file; bring an older file to *version*.

    Raises:
        ConfigError: The file is not ours, or is newer than *version*.
    """
    names = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if not names:
        _create(connection, version)
        return
    if "meta" not in names:
        raise ConfigError(
            f"{path} is a DuckDB file, but not one of MonitorX; move it away or choose another --data-dir"
        )
    (found,) = connection.execute("SELECT schema_version FROM meta").fetchall()[0]
    if found > version:
        raise ConfigError(
            f"{path} has schema version {found}, and this MonitorX reads up to {version}; "
            "upgrade MonitorX or choose another --data-dir"
        )
    _migrate(connection, found, version, migrations)


def _create(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    connection.begin()
    for name, schema in TABLES.items():
        columns = ", ".join(f'"{each.name}" {_sql_type(each)}' for each in schema)
        connection.execute(f"CREATE TABLE {name} ({columns})")
    connection.execute(
        "CREATE TABLE meta (schema_version INTEGER NOT NULL, position BIGINT NOT NULL, revision BIGINT NOT NULL)"
    )
    connection.execute("INSERT INTO meta VALUES (?, 0, 0)", [version])
    connection.commit()


def _migrate(
    connection: duckdb.DuckDBPyConnection, found: int, version: int, migrations: Mapping[int, Sequence[str]]
) -> None:
    for step in range(found, version):
        connection.begin()
        for statement in migrations[step]:
            connection.execute(statement)
        connection.execute("UPDATE meta SET schema_version = ?", [step + 1])
        connection.commit()


_SQL_TYPES = {
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.uint64(): "UBIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.binary(16): "BLOB",
    pa.binary(8): "BLOB",
    pa.list_(pa.float64()): "DOUBLE[]",
}


def _sql_type(column: pa.Field) -> str:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return _SQL_TYPES[kind] + ("" if column.nullable else " NOT NULL")
