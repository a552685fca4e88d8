"""
A description as the JSON that Grafana reads.

The Foundation SDK has Grafana's own schema; what it lacks is what belongs to InfluxDB: its query, and the annotation
that says which columns are title, text and tags. Both are written here.
"""

import json
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common, dashboard, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as kind
from grafana_foundation_sdk.models import dashboard as model

from monitorx.backend.dashboard.description import Annotation, Dashboard, Panel, Shape, Target, Variable
from monitorx.backend.storage.influxdb.measurement import PANE_S

DATASOURCE_UID = "monitorx-influxdb"
_DATASOURCE = model.DataSourceRef(type_val="influxdb", uid=DATASOURCE_UID)
# A range that ends here ends with a pane that is over and has been written.
_NOW_DELAY = f"{PANE_S + 5}s"
_AnyPanel = timeseries.Panel | stat.Panel | table.Panel


def rendered(description: Dashboard) -> str:
    """The file of a dashboard; the same for the same description."""
    return json.dumps(_dashboard(description).build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


class Query(Dataquery):
    """One question in InfluxQL, as written."""

    def __init__(self, target: Target, reference: str, result_format: str) -> None:
        self._target, self._reference, self._format = target, reference, result_format

    def to_json(self) -> dict[str, object]:
        """As Grafana keeps it in a panel."""
        said: dict[str, object] = {
            "datasource": _DATASOURCE,
            "refId": self._reference,
            "rawQuery": True,
            "query": self._target.query,
            "resultFormat": self._format,
        }
        return said | ({"alias": self._target.alias} if self._target.alias else {})


class _Built(Builder[Dataquery]):
    def __init__(self, query: Query) -> None:
        self._query = query

    def build(self) -> Dataquery:
        return self._query


class _Events(model.AnnotationQuery):
    """An annotation whose target is a question in InfluxQL."""

    def __init__(self, annotation: Annotation) -> None:
        super().__init__(annotation.name, _DATASOURCE, True, False, annotation.colour)
        self._annotation = annotation

    def to_json(self) -> dict[str, object]:
        """As Grafana keeps it in a dashboard."""
        target = {
            "name": self._annotation.name,
            "refId": "Anno",
            "fromAnnotations": True,
            "query": self._annotation.query,
            "queryType": "tags",
            "rawQuery": True,
            "resultFormat": "table",
            "titleColumn": self._annotation.title,
            "textColumn": self._annotation.text,
            "tagsColumn": ",".join(self._annotation.tags),
            "timeEndColumn": "",
        }
        return super().to_json() | {"target": target}


class _BuiltEvents(Builder[model.AnnotationQuery]):
    def __init__(self, annotation: Annotation) -> None:
        self._events = _Events(annotation)

    def build(self) -> model.AnnotationQuery:
        return self._events


def _dashboard(description: Dashboard) -> dashboard.Dashboard:
    built = (
        dashboard.Dashboard(description.title)
        .uid(description.uid)
        .description(description.description)
        .tags(["monitorx"])
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("30s")
        .timepicker(dashboard.TimePicker().now_delay(_NOW_DELAY))
        .variables([_variable(each) for each in description.variables])
        .annotations([_BuiltEvents(each) for each in description.annotations])
    )
    number = 0
    for row in description.rows:
        number += 1
        built.with_row(dashboard.Row(row.title).id(number))
        for panel in row.panels:
            number += 1
            built.with_panel(_panel(panel).id(number))
    return built


def _variable(variable: Variable) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(variable.name)
        .label(variable.label)
        .datasource(_DATASOURCE)
        .query(variable.query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        # Also what has no such tag: a list of all values would leave it out.
        .all_value(".*")
        .current(model.VariableOption(True, "All", "$__all"))
    )


def _panel(panel: Panel) -> _AnyPanel:
    built = _empty(panel)
    built.title(panel.title).description(panel.description).datasource(_DATASOURCE)
    built.span(panel.width).height(panel.height).unit(panel.unit).interval(f"{PANE_S}s")
    if panel.highest is not None:
        built.min(0).max(panel.highest)
    result_format = "table" if panel.shape is Shape.TABLE else "time_series"
    for reference, target in zip(ascii_uppercase, panel.targets, strict=False):
        built.with_target(_Built(Query(target, reference, result_format)))
    for column, unit in panel.units.items():
        built.override_by_name(column, [model.DynamicConfigValue("unit", unit)])
    return built


def _empty(panel: Panel) -> _AnyPanel:
    match panel.shape:
        case Shape.LINES:
            return _lines(marks_points=panel.marks_points)
        case Shape.NUMBER:
            return _number()
        case Shape.TABLE:
            return _table(hides_time=panel.hides_time)


def _lines(*, marks_points: bool) -> timeseries.Panel:
    legend = common.VizLegendOptions().show_legend(True).display_mode(kind.LegendDisplayMode.LIST)
    tooltip = common.VizTooltipOptions().mode(kind.TooltipDisplayMode.MULTI).sort(kind.SortOrder.DESCENDING)
    return (
        timeseries.Panel()
        .min(0)
        .line_width(1)
        .fill_opacity(8)
        .show_points(kind.VisibilityMode.ALWAYS if marks_points else kind.VisibilityMode.AUTO)
        .legend(legend.placement(kind.LegendPlacement.BOTTOM))
        .tooltip(tooltip)
    )


def _number() -> stat.Panel:
    calculation = common.ReduceDataOptions().calcs(["lastNotNull"])
    plain = stat.Panel().color_mode(kind.BigValueColorMode.NONE).graph_mode(kind.BigValueGraphMode.NONE)
    return plain.reduce_options(calculation)


def _table(*, hides_time: bool) -> table.Panel:
    built = table.Panel().show_header(True)
    return built.override_by_name("Time", [model.DynamicConfigValue("custom.hidden", True)]) if hides_time else built
