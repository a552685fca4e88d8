"""The dashboard *Model overview*: is each model called, does it answer in time, what does it cost, has it drifted."""

from monitorx.backend.dashboard.description import Annotation, Dashboard, Panel, Row, Shape, Target, Variable
from monitorx.backend.dashboard.influxql import (
    events,
    highest,
    newest,
    rate,
    ratio,
    total,
    total_ratio,
    totals,
    values,
    weighted_mean,
)
from monitorx.backend.storage.influxdb.measurement import ALERT, DRIFT, MODEL, PANE_S

_BY = ("model", "version")
_NAME = "$tag_model $tag_version"
_PANE = f"{PANE_S} seconds"


def _number(title: str, description: str, unit: str, query: str) -> Panel:
    return Panel(title, description, Shape.NUMBER, unit, (Target(query),), width=6, height=4)


_TOTALS = Row(
    "All chosen models",
    (
        _number("Total calls", "In the selected time.", "short", total(MODEL, "requests")),
        _number(
            "Overall error ratio",
            "Failed calls over all calls in the selected time. Empty where there was no call.",
            "percentunit",
            total_ratio(MODEL, "errors", "requests"),
        ),
        _number(
            "Mean latency",
            "Seconds of all calls over their number. Empty where there was no call.",
            "s",
            total_ratio(MODEL, "latency_sum_s", "requests"),
        ),
        _number(
            "Total cost",
            "Of the calls in the selected time whose price is known; a model without a price adds nothing.",
            "currencyUSD",
            total(MODEL, "cost_usd"),
        ),
    ),
)

_CALLS = Row(
    "Calls",
    (
        Panel(
            "Calls per second",
            "Calls, failed ones too; the mean over a step. 0 where a model was not called.",
            Shape.LINES,
            "reqps",
            (Target(rate(MODEL, "requests", _BY), _NAME),),
        ),
        Panel(
            "Error ratio",
            "Failed calls over all calls of a step. A gap where there was no call.",
            Shape.LINES,
            "percentunit",
            (Target(ratio(MODEL, "errors", "requests", _BY), _NAME),),
        ),
        Panel(
            "Latency: p50, p95, p99, mean of the panes of a step",
            f"Quantiles are known for each {_PANE} and each operation. A longer step shows their mean, weighted by"
            " calls, which is not the quantile of the step: exact ones over any time are in the REST API.",
            Shape.LINES,
            "s",
            tuple(
                Target(weighted_mean(MODEL, f"{quantile}_s", "requests", _BY), f"{_NAME} {quantile}")
                for quantile in ("p50", "p95", "p99")
            ),
        ),
        Panel(
            "Latency: the worst pane and the longest call of a step",
            f"The highest p99 of any {_PANE} within a step, and the longest single call. Both stay true however long"
            " the step is.",
            Shape.LINES,
            "s",
            (
                Target(highest(MODEL, "p99_s", _BY), f"{_NAME} highest p99"),
                Target(highest(MODEL, "latency_max_s", _BY), f"{_NAME} longest call"),
            ),
        ),
        Panel(
            "Models",
            "Sums over the selected time.",
            Shape.TABLE,
            "short",
            (
                Target(
                    totals(
                        MODEL,
                        ("requests", "errors", "samples", "input_tokens", "output_tokens", "cost_usd"),
                        ("model", "version", "service", "kind", "operation"),
                    )
                ),
            ),
            width=24,
            hides_time=True,
            units={"cost_usd": "currencyUSD"},
        ),
    ),
)

_LLM = Row(
    "Tokens and cost",
    (
        Panel(
            "Tokens per second",
            "Tokens in and out; the mean over a step.",
            Shape.LINES,
            "short",
            (
                Target(rate(MODEL, "input_tokens", _BY), f"{_NAME} in"),
                Target(rate(MODEL, "output_tokens", _BY), f"{_NAME} out"),
            ),
        ),
        Panel(
            "Cost per hour",
            "What an hour would cost at the pace of the step. A model without a price adds nothing.",
            Shape.LINES,
            "currencyUSD",
            (Target(rate(MODEL, "cost_usd", _BY, per_s=3600), _NAME),),
        ),
    ),
)

# Windows are longer than steps, so a line has to reach over steps without any.
_SCORE = highest(DRIFT, "score", ("model", "version", "feature", "method"), empty="none")
_DRIFT = Row(
    "Drift",
    (
        Panel(
            "Drift score of each feature",
            "Distance to the reference, 0 to 1; a point for each window, the highest of a step. None where there were"
            " too few values, or no reference. Not narrowed down by service: a model is compared as a whole.",
            Shape.LINES,
            "short",
            (Target(_SCORE, f"{_NAME} $tag_feature"),),
            highest=1,
            marks_points=True,
        ),
        Panel(
            "Newest findings",
            "What was found last for each feature; the time is the end of the window. drifted is 1 where the"
            " difference is both large and no accident.",
            Shape.TABLE,
            "short",
            (
                Target(
                    newest(
                        DRIFT,
                        "drifted",
                        ("status", "score", "psi", "p", "events"),
                        ("model", "version", "feature", "role", "method"),
                    )
                ),
            ),
        ),
    ),
)


def _alerts(name: str, after: str, colour: str) -> Annotation:
    """Steps of alerts to one state."""
    tags = ("severity", "model", "version", "feature")
    query = events(ALERT, ("title", "text", *tags), "after", after)
    return Annotation(name, query, "title", "text", tags, colour)


MODEL_OVERVIEW = Dashboard(
    uid="monitorx-models",
    title="Model overview",
    description="Models in production, as MonitorX sees them: calls, errors, latency, tokens, cost and drift.",
    variables=(
        Variable("service", "Service", values(MODEL, "service")),
        Variable("model", "Model", values(MODEL, "model", where=("service",))),
        Variable("version", "Version", values(MODEL, "version", where=("service", "model"))),
    ),
    annotations=(
        _alerts("Alerts that began to fire", "firing", "red"),
        _alerts("Alerts that are over", "resolved", "green"),
    ),
    rows=(_TOTALS, _CALLS, _LLM, _DRIFT),
)
