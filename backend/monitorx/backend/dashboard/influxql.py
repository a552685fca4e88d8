"""
Questions of dashboards in InfluxQL, with Grafana's variables in them.

Every name comes out of the measurement that is asked, so that a question cannot name what is not written; nothing
else becomes part of one.
A question holds for any step: Grafana's steps are not always a multiple of a pane (15 s is one of them), so rates are
taken per pane first, and then their mean.
"""

from collections.abc import Iterable

from monitorx.backend.storage.influxdb.measurement import PANE_S, Measurement
from monitorx.backend.storage.influxdb.query import columns, equal, identifier

# The choices at the top, each named as the tag that it is about.
VARIABLES = ("service", "model", "version")
STEP = "time($__interval)"


def rate(measurement: Measurement, field: str, by: Iterable[str], *, per_s: int = 1) -> str:
    """How much of a field there is in *per_s* seconds: the mean over the panes of a step; 0 where there is none."""
    tags = _tags(measurement, by)
    panes = (
        f'SELECT sum({_field(measurement, field)}) AS "pane" {_chosen(measurement)}'
        f" GROUP BY time({PANE_S}s), {tags} fill(0)"
    )
    share = "" if per_s == 1 else f" * {per_s}"
    mean = f'SELECT mean("pane"){share} / {PANE_S} FROM ({panes})'  # noqa: S608  as above
    return f"{mean} WHERE $timeFilter GROUP BY {STEP}, {tags} fill(null)"


def ratio(measurement: Measurement, part: str, whole: str, by: Iterable[str]) -> str:
    """One sum over another in each step; null where the other is 0."""
    return f"{total_ratio(measurement, part, whole)} GROUP BY {STEP}, {_tags(measurement, by)} fill(null)"


def total_ratio(measurement: Measurement, part: str, whole: str) -> str:
    """One sum over another, over all of the selected time; nothing where the other is 0."""
    divisor = _field(measurement, whole)
    # InfluxQL divides by 0 and says 0, so panes that would lead to it are left out.
    return f"SELECT sum({_field(measurement, part)}) / sum({divisor}) {_chosen(measurement)} AND {divisor} > 0"


def weighted_mean(measurement: Measurement, field: str, weight: str, by: Iterable[str]) -> str:
    """The mean of a field over the panes of a step, each counted as often as *weight* says."""
    tags = _tags(measurement, by)
    name = _field(measurement, weight)
    panes = f'SELECT {_field(measurement, field)} * {name} AS "product", {name} AS "weight" {_chosen(measurement)}'
    # A pane without the field has no product, and its weight must not count either.
    counted = '$timeFilter AND "weight" > 0 AND "product" >= 0'
    mean = f'SELECT sum("product") / sum("weight") FROM ({panes}) WHERE {counted}'  # noqa: S608  as above
    return f"{mean} GROUP BY {STEP}, {tags} fill(null)"


def highest(measurement: Measurement, field: str, by: Iterable[str], *, empty: str = "null") -> str:
    """The highest value of a field in each step; *empty* is what stands where there is none: null or none, no row."""
    question = f"SELECT max({_field(measurement, field)}) {_chosen(measurement)}"
    return f"{question} GROUP BY {STEP}, {_tags(measurement, by)} fill({empty})"


def total(measurement: Measurement, field: str) -> str:
    """The sum of a field over all of the selected time."""
    return f"SELECT sum({_field(measurement, field)}) {_chosen(measurement)}"


def totals(measurement: Measurement, fields: Iterable[str], by: Iterable[str]) -> str:
    """A table: sums over all of the selected time."""
    sums = ", ".join(f"sum({_field(measurement, name)}) AS {identifier(name)}" for name in fields)
    return f"SELECT {sums} {_chosen(measurement)} GROUP BY {_tags(measurement, by)}"


def newest(measurement: Measurement, field: str, also: Iterable[str], by: Iterable[str]) -> str:
    """A table: the newest point of each that has *field*, with other fields and tags of it."""
    name = _field(measurement, field)
    chosen = ", ".join([f"last({name}) AS {name}", *(identifier(_known(measurement, each)) for each in also)])
    return f"SELECT {chosen} {_chosen(measurement)} GROUP BY {_tags(measurement, by)}"


def events(measurement: Measurement, names: Iterable[str], tag: str, value: str) -> str:
    """Points whose *tag* has this value, with these fields and tags."""
    asked = [_known(measurement, name) for name in names]
    return f"SELECT {columns(asked)} {_chosen(measurement)} AND {equal(_tag(measurement, tag), value)}"


def values(measurement: Measurement, tag: str, *, where: Iterable[str] = ()) -> str:
    """What values a tag has; *where* names the variables that narrow them down."""
    question = f"SHOW TAG VALUES FROM {identifier(measurement.name)} WITH KEY = {identifier(_tag(measurement, tag))}"
    tests = " AND ".join(_equal(measurement, name) for name in where)
    return f"{question} WHERE {tests}" if tests else question


def _chosen(measurement: Measurement) -> str:
    """The points in the selected time that the variables at the top choose."""
    variables = [name for name in VARIABLES if name in measurement.tags]
    tests = " AND ".join(["$timeFilter", *(_equal(measurement, name) for name in variables)])
    return f"FROM {identifier(measurement.name)} WHERE {tests}"


def _equal(measurement: Measurement, variable: str) -> str:
    """
    That a tag is one of the chosen values.

    A rule need not say a model, a version or a service. An alert without one is about all of them.
    """
    tag = identifier(_tag(measurement, variable))
    test = f"{tag} =~ /^${{{variable}:regex}}$/"
    return f"({test} OR {tag} = '')" if "rule" in measurement.tags else test


def _field(measurement: Measurement, name: str) -> str:
    return identifier(measurement.field(name).name)


def _tag(measurement: Measurement, name: str) -> str:
    if name not in measurement.tags:
        raise KeyError(f"{measurement.name} has no tag {name!r}")
    return name


def _known(measurement: Measurement, name: str) -> str:
    """A field or a tag."""
    return name if name in measurement.tags else measurement.field(name).name


def _tags(measurement: Measurement, names: Iterable[str]) -> str:
    return columns(_tag(measurement, name) for name in names)
