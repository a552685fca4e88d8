from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitorx.alerting.matcher import parse as matcher
from monitorx.backend.rule import Expression, ExpressionError, parse
from monitorx.backend.rule.measure import Measure, Selector

MINUTES_5 = timedelta(minutes=5)


def test_every_part_of_an_expression_is_read() -> None:
    text = 'p95(latency{model="fraud", version=~"1|2"}[10m]) > 250ms by (model, version)'

    assert parse(text) == Expression(
        function="p95",
        quantile=0.95,
        of=Selector(Measure("latency", is_metric=False), (matcher('model="fraud"'), matcher('version=~"1|2"'))),
        to=None,
        window=timedelta(minutes=10),
        comparison=">",
        threshold=0.25,
        by=("model", "version"),
        text=text,
    )


def test_a_ratio_has_two_sides_and_one_window() -> None:
    expression = parse('ratio(errors{kind!="llm"}, requests[1m]) >= 5%')

    assert expression.of == Selector(Measure("errors", is_metric=False), (matcher('kind!="llm"'),))
    assert expression.to == Selector(Measure("requests", is_metric=False))
    assert (expression.window, expression.threshold) == (timedelta(minutes=1), 0.05)


@pytest.mark.parametrize(
    ("text", "function", "name", "threshold", "window"),
    [
        ("p99.9(latency[30s]) < 2s", "p99.9", "latency", 2.0, timedelta(seconds=30)),
        ("avg(latency) >= 1.5", "avg", "latency", 1.5, MINUTES_5),
        ("max(latency[1h]) <= 1m", "max", "latency", 60.0, timedelta(hours=1)),
        ("min(latency[1d]) == 800us", "min", "latency", 0.0008, timedelta(days=1)),
        ("rate(requests) < 0.1", "rate", "requests", 0.1, MINUTES_5),
        ("sum(cost_usd[1h30m]) > 20", "sum", "cost_usd", 20.0, timedelta(minutes=90)),
        ("avg(hw.gpu.utilization[1m]) > 90%", "avg", "hw.gpu.utilization", 0.9, timedelta(minutes=1)),
        ('last("queue-depth"[1m]) != -1e3', "last", "queue-depth", -1000.0, timedelta(minutes=1)),
        ("rate(my.counter[1m]) > .5", "rate", "my.counter", 0.5, timedelta(minutes=1)),
    ],
)
def test_measures_functions_and_units(text: str, function: str, name: str, threshold: float, window: timedelta) -> None:
    expression = parse(text)

    assert (expression.function, expression.of.measure.name) == (function, name)
    assert (expression.threshold, expression.window) == (pytest.approx(threshold), window)


def test_labels_of_a_metric_may_be_any_attribute_quoted_or_dotted() -> None:
    expression = parse('max(hw.temperature{hw.id="gpu0", "odd-key"!~"a\\.b"}[1m]) > 80 by (hw.id, "odd-key")')

    assert expression.of.matchers == (matcher('hw.id="gpu0"'), expression.of.matchers[1])
    assert (expression.of.matchers[1].name, expression.of.matchers[1].value) == ("odd-key", "a\\.b")
    assert expression.by == ("hw.id", "odd-key")


@pytest.mark.parametrize(
    ("comparison", "below", "equal", "above"),
    [
        (">", False, False, True),
        (">=", False, True, True),
        ("<", True, False, False),
        ("<=", True, True, False),
        ("==", False, True, False),
        ("!=", True, False, True),
    ],
)
def test_comparisons(comparison: str, below: bool, equal: bool, above: bool) -> None:
    expression = parse(f"rate(requests[1m]) {comparison} 2")

    assert [expression.is_breached(value) for value in (1.0, 2.0, 3.0)] == [below, equal, above]


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        pytest.param("", 0, "a function, as in p95(latency[5m]) > 250ms is needed here, not the end", id="nothing"),
        pytest.param("p95(latncy[5m]) > 1", 4, "unknown measure latncy; did you mean latency?", id="measure"),
        pytest.param("p95(foo[5m]) > 1", 4, "unknown measure foo; known: ", id="unlike any measure"),
        pytest.param("p95(foo[5m]) > 1", 4, 'a metric without a dot in its name is quoted: "foo"', id="quoting"),
        pytest.param("averge(latency[5m]) > 1", 0, "unknown function averge; did you mean avg?", id="function"),
        pytest.param("rate(latency[5m]) > 1", 0, "rate cannot measure latency; use p50, p95, p99, avg", id="mismatch"),
        pytest.param(
            "p95(requests[5m]) > 1", 0, "p95 cannot measure requests; use rate, sum, ratio", id="p95 requests"
        ),
        pytest.param("p95(a.b[5m]) > 1", 0, "p95 measures latency, not a metric by its name", id="p95 of metric"),
        pytest.param("p95(latency[15s]) > 1", 12, "the window 15s is not a multiple of 10s; try 10s or 20s", id="15s"),
        pytest.param("p95(latency[95s]) > 1", 12, "the window 95s is not a multiple of 10s; try 90s or 100s", id="95s"),
        pytest.param("p95(latency[1s]) > 1", 12, "the window 1s is not a multiple of 10s; try 10s", id="1s"),
        pytest.param("p95(latency[0s]) > 1", 12, "the window 0s is not a multiple of 10s; try 10s", id="0s"),
        pytest.param("p95(latency[2d]) > 1", 12, "the window 2d is longer than 24h; try 24h", id="2d"),
        pytest.param("p95(latency[5x]) > 1", 12, "bad window: '5x' is not a duration", id="5x"),
        pytest.param("p95(latency[]) > 1", 12, "a window, as in [5m] is needed here, not ']'", id="empty window"),
        pytest.param("ratio(errors[5m]) > 1%", 16, "ratio needs two measures", id="half a ratio"),
        pytest.param("ratio(errors[5m], requests[1m]) > 1", 27, "both sides of a ratio have one window", id="windows"),
        pytest.param("p95(latency[5m])", 16, "one of > >= < <= == != is needed here, not the end", id="no comparison"),
        pytest.param("p95(latency[5m]) = 1", 17, "not '='; == compares", id="single ="),
        pytest.param("p95(latency[5m]) > fast", 19, "a value to compare with: 250ms, 5%, 1.5 is needed", id="word"),
        pytest.param("p95(latency[5m]) > 5%", 19, "p95(latency) has no unit %; units here: us, µs, ms", id="% of time"),
        pytest.param("ratio(errors, requests) > 5ms", 26, "a ratio has no unit ms; units here: %", id="ms of a ratio"),
        pytest.param("rate(requests) > 5%", 17, "rate(requests) has no unit %; units here: none", id="% of a rate"),
        pytest.param("p95(latency) > 1.2.3", 15, "'1.2.3' is not a value", id="bad number"),
        pytest.param("rate(requests) > 1 by model", 22, "labels stand in parentheses", id="bare by"),
        pytest.param("rate(requests) > 1 by (modle)", 23, "unknown label modle; did you mean model?", id="label"),
        pytest.param("rate(requests) > 1 by (model, model)", 30, "model stands twice", id="label twice"),
        pytest.param("rate(requests{modle='a'}) > 1", 14, "unknown label modle; did you mean model?", id="matcher"),
        pytest.param("rate(requests{model>'a'}) > 1", 19, "a label is compared with =, !=, =~ or !~", id="operator"),
        pytest.param("rate(requests{model=a}) > 1", 20, 'a quoted value: model="…" is needed here', id="unquoted"),
        pytest.param("rate(requests{model=~'('}) > 1", 21, "'(' is not a regular expression", id="regex"),
        pytest.param("rate(requests{model=~'(a+)+'}) > 1", 21, "'(a+)+' could take too long", id="slow regex"),
        pytest.param("rate(requests{model='a' kind='b'}) > 1", 24, "matchers are separated by commas", id="comma"),
        pytest.param("rate(requests{model='a}) > 1", 20, "the string that begins with ' does not end", id="quote"),
        pytest.param("rate(requests) > 1 or more", 19, "the rule is complete before 'or'", id="rest"),
        pytest.param("rate(requests) > 1; 2", 18, "';' means nothing here", id="character"),
        pytest.param(
            "avg(queue-depth[1m]) > 1",
            9,
            "'-' means nothing here; a name with such signs is quoted: \"queue-depth\"",
            id="sign in a name",
        ),
        pytest.param(
            "max(a.b[1m]) > 1 by (k8s.io/node)", 27, 'a name with such signs is quoted: "k8s.io/node"', id="label"
        ),
        pytest.param("rate(requests) > 1e400", 17, "'1e400' is too large a number", id="infinite"),
        pytest.param("p95(latency) > 1e999ms", 15, "'1e999ms' is too large a number", id="infinite with a unit"),
        pytest.param("max(latency) > 1e308h", 15, "'1e308h' is too large a number", id="infinite by its unit"),
        pytest.param(
            "p95(latency{kind='tabularr'}) > 1",
            17,
            "no model is of the kind tabularr; did you mean tabular?",
            id="kind misspelt",
        ),
        pytest.param(
            "ratio(errors, requests{kind='image'}) > 1%",
            28,
            "no model is of the kind image; known: llm, tabular, vision",
            id="no such kind",
        ),
        pytest.param(
            "p95(latency{kind=~'image|img'}) > 1",
            18,
            "no kind of model is like image|img; known: llm, tabular, vision",
            id="no kind is like it",
        ),
        pytest.param(
            "ratio(errors, requests) > 5",
            26,
            "errors are part of requests: the ratio is from 0 to 1, so > 5 never holds; did you mean 5%?",
            id="share over one",
        ),
        pytest.param("ratio(errors, requests) > 1", 26, "so > 1 never holds; did you mean 1%?", id="share over all"),
        pytest.param("ratio(errors, requests) < 99", 26, "so < 99 always holds; did you mean 99%?", id="percent bare"),
        pytest.param("ratio(errors, requests) < 0", 26, "< 0 never holds; did you mean <= 0?", id="share under none"),
        pytest.param(
            "ratio(errors, requests) >= 0", 27, "so >= 0 always holds; did you mean > 0?", id="share of none or more"
        ),
        pytest.param(
            "ratio(errors, requests) <= 1.0", 27, "so <= 1.0 always holds; did you mean 1%?", id="share at most all"
        ),
        pytest.param(
            "ratio(errors, requests) > 100%", 26, "0 to 1, so > 100% never holds", id="share over all in percent"
        ),
        pytest.param("ratio(errors, requests) > -5%", 26, "so > -5% always holds", id="share over less than none"),
        pytest.param("ratio(errors, requests) != 2", 27, "so != 2 always holds", id="share unlike what it cannot be"),
        pytest.param("ratio(errors, tokens) > -1", 24, "what is measured is never below 0, so > -1 always", id="ratio"),
        pytest.param("p95(latency) > -1s", 15, "measured is never below 0, so > -1s always holds", id="time under 0"),
        pytest.param("rate(requests) < 0", 17, "so < 0 never holds; did you mean <= 0?", id="rate under none"),
        pytest.param("sum(errors) >= 0", 15, "so >= 0 always holds; did you mean > 0?", id="none or more"),
        pytest.param("sum(cost_usd) == -5", 17, "so == -5 never holds", id="cost like what it cannot be"),
        pytest.param(
            "ratio(requests{model='a', version='1'}, requests{model='a'}) >= 2", 64, "never holds", id="one of all"
        ),
    ],
)
def test_errors_say_where_and_what_would_be_right(text: str, position: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)

    assert caught.value.position == position
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("ratio(errors, requests) >= 1", id="all fail"),
        pytest.param("ratio(errors, requests) <= 0", id="none fails"),
        pytest.param("ratio(output_tokens, requests) > 2000", id="no part of it"),
        pytest.param("ratio(errors{model='a'}, requests{model='b'}) > 2", id="of other calls"),
        pytest.param("ratio(requests, errors) > 5", id="the other way round"),
        pytest.param("p95(latency{kind=~'llm|image'}) > 1", id="one of the kinds is there"),
        pytest.param("p95(latency{kind!~'llm|.*m'}) > 1", id="not some kinds"),
        pytest.param("p95(latency{kind!='embedding'}) > 1", id="not a kind that there is not"),
        pytest.param("p95(latency{kind!~'aud.*'}) > 1", id="not like a kind that there is not"),
        pytest.param("rate(requests) < 0.1", id="few call"),
        pytest.param("rate(requests) <= 0", id="nobody calls, as a rate"),
        pytest.param("sum(requests) == 0", id="nobody calls, as a sum"),
        pytest.param("sum(requests) != 0", id="somebody calls"),
        pytest.param("max(latency) > 0s", id="anything takes time"),
        pytest.param("max(my.gauge) >= 0", id="a metric may be below 0"),
        pytest.param("max(my.gauge{kind='image'}) > 1", id="an attribute called kind"),
    ],
)
def test_what_can_be_is_taken(text: str) -> None:
    assert parse(text).text == text


@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(
            st.sampled_from(
                [
                    "p95",
                    "ratio",
                    "(",
                    ")",
                    "latency",
                    "errors",
                    "requests",
                    "[",
                    "]",
                    "5m",
                    "{",
                    "}",
                    "model",
                    "=",
                    "=~",
                    '"a"',
                    ",",
                    ">",
                    "250ms",
                    "by",
                    "a.b",
                    " ",
                ]
            ),
            max_size=20,
        ).map(" ".join),
    )
)
def test_nothing_but_an_expression_error_comes_of_bad_text(text: str) -> None:
    with suppress(ExpressionError):
        assert parse(text).text == text
