from datetime import timedelta
from pathlib import Path

import pytest

from monitorx.alerting.alert import NoData
from monitorx.alerting.document import DocumentError
from monitorx.backend.rule import Rule, load, longest_window, parse, policy, watched_metrics

WHOLE = """\
groups:
  - name: models
    rules:
      - alert: Slow
        expr: p95(latency[10m]) > 250ms by (model)
        for: 1m
        keep_firing_for: 5m
        no_data: alerting
        min_events: 20
        labels: {severity: critical, team: 7}
        annotations:
          summary: "{{ $labels.model }} takes {{ $value | humanizeDuration }}"
  - name: machines
    rules:
      - alert: Hot
        expr: max(hw.temperature[1m]) > 80
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "rules.yaml"
    path.write_text(text)
    return path


def check(path: Path) -> list[str]:
    """What is wrong with a file, a line each."""
    try:
        load(path)
    except DocumentError as error:
        return str(error).splitlines()
    return []


def test_rules_of_all_groups_are_read(tmp_path: Path) -> None:
    file = load(written(tmp_path, WHOLE))

    slow, hot = file.rules
    assert slow == Rule(
        name="Slow",
        expression=parse("p95(latency[10m]) > 250ms by (model)"),
        held_for=timedelta(minutes=1),
        keep_firing_for=timedelta(minutes=5),
        no_data=NoData.ALERTING,
        min_events=20,
        labels={"severity": "critical", "team": "7"},
        annotations={"summary": "{{ $labels.model }} takes {{ $value | humanizeDuration }}"},
    )
    assert hot == Rule(name="Hot", expression=parse("max(hw.temperature[1m]) > 80"))
    assert file.alerting.route is None
    assert (longest_window(file.rules), watched_metrics(file.rules)) == (timedelta(minutes=10), {"hw.temperature"})


def test_the_policy_of_a_rule_is_what_alerting_needs(tmp_path: Path) -> None:
    rule = load(written(tmp_path, WHOLE)).rules[0]

    told = policy(rule)

    assert (told.rule, told.held_for, told.keep_firing_for) == ("Slow", timedelta(minutes=1), timedelta(minutes=5))
    assert (told.no_data, told.labels, told.annotations) == (NoData.ALERTING, rule.labels, rule.annotations)


def test_routes_and_receivers_stand_in_the_same_file(tmp_path: Path) -> None:
    file = load(written(tmp_path, WHOLE + "route: {receiver: ops}\nreceivers: [{name: ops}]\n"))

    assert file.alerting.route is not None
    assert list(file.alerting.receivers) == ["ops"]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        pytest.param("# nothing yet\n", "0 rules, 0 receivers", id="empty"),
        pytest.param(WHOLE, "2 rules, 0 receivers", id="rules"),
        pytest.param("route: {receiver: a}\nreceivers: [{name: a}]\n", "0 rules, 1 receiver", id="a receiver"),
    ],
)
def test_the_size_of_a_file_is_what_it_holds(tmp_path: Path, text: str, size: str) -> None:
    assert load(written(tmp_path, text)).size == size


def test_all_that_is_wrong_is_said_at_once_by_file_line_and_key(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """\
groups:
  - name: models
    rules:
      - alert: Slow
        expr: p95(latncy[5m]) > 250ms
        fro: 1m
      - alert: Slow
        expr: p95(latency[15s]) > 250ms
        for: soon
        labels: {severity: critcal}
      - expr: 7
        no_data: nodata
        min_events: many
        clear: 100ms
  - name: models
    rules: none
rout: {}
receivers: [{name: ops, pager_configs: []}]
""",
    )

    lines = [line.removeprefix(f"{path}:") for line in check(path)]

    assert [line.split(": ")[0] for line in lines] == [
        "5",
        "6",
        "7",
        "8",
        "9",
        "10",
        "11",
        "11",
        "12",
        "13",
        "14",
        "15",
        "16",
        "17",
        "18",
        "18",
    ]
    starts = [
        "5: groups[0].rules[0].expr: column 5, at 'latncy[5m]) > 250ms': unknown measure latncy; did you mean latency?",
        "6: groups[0].rules[0].fro: unknown key; did you mean for?",
        "7: groups[0].rules[1].alert: two rules are named 'Slow'; the first is on line 4, rename one",
        "8: groups[0].rules[1].expr: column 13, at '15s]) > 250ms': the window 15s is not a multiple of 10s; "
        "try 10s or 20s",
        "9: groups[0].rules[1].for: 'soon' is not a duration; write a number and a unit: 500ms, 30s, 5m, 1h30m, 1d",
        "10: groups[0].rules[1].labels.severity: unknown severity 'critcal'; one of info, warning, error, critical; "
        "did you mean critical?",
        "11: groups[0].rules[2]: alert is missing",
        "11: groups[0].rules[2].expr: must be a string, not the value 7",
        "12: groups[0].rules[2].no_data: 'nodata' must be one of keep_last, ok, alerting, no_data; "
        "did you mean no_data?",
        "13: groups[0].rules[2].min_events: must be a number, not the string 'many'",
        "14: groups[0].rules[2].clear: clear is not supported yet",
        "15: groups[1].name: two groups are named 'models'; the first is on line 2, rename one",
        "16: groups[1].rules: must be a list, not the string 'none'",
        "17: rout: unknown key; did you mean route?",
    ]
    for line, start in zip(lines, starts, strict=False):
        assert line.startswith(start)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("groups: 5\n", "1: groups: must be a list of groups"),
        ("- a\n", "1: must be a mapping of groups, route, receivers, not a list"),
        ("groups:\n  - name: a\n    name: b\n", "3: groups[0].name: the key name stands twice; first on line 2"),
        ("groups: [\n", "2: not YAML"),
        ("groups: [{name: a, rules: [{alert: A, expr: ''}]}]\n", "1: groups[0].rules[0].expr: must be an expression"),
        (
            "groups: [{name: a, rules: [{alert: A, expr: rate(requests) > 1, min_events: -1}]}]\n",
            "1: groups[0].rules[0].min_events: -1 must be 0 or more",
        ),
        (
            "groups: [{name: a, rules: [{alert: A, expr: rate(requests) > 1, labels: {alertname: x}}]}]\n",
            "1: groups[0].rules[0].labels.alertname: alertname is set from the rule's name",
        ),
        (
            "groups: [{name: a, rules: [{alert: A, expr: rate(requests) > 1, annotations: {s: '{{ $lables }}'}}]}]\n",
            "1: groups[0].rules[0].annotations.s: ",
        ),
        pytest.param(
            "groups: [{name: ' ', rules: []}]\n", "1: groups[0].name: must be the name of a group", id="group"
        ),
    ],
)
def test_one_thing_wrong_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)

    (line,) = check(path)

    assert line.startswith(f"{path}:{message}")


ALERT = """\
groups:
  - name: models
    rules:
      - alert: Slow
        expr: p95(latency[1m]) > 1s by (model)
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(
            ALERT.replace("Slow", "ModelLatencyHigh"),
            "4: groups[0].rules[0].alert: ModelLatencyHigh is the name of alerts of registered models; rename the rule",
            id="name of a threshold on latency",
        ),
        pytest.param(
            ALERT.replace("Slow", "ModelErrorRateHigh"),
            "4: groups[0].rules[0].alert: ModelErrorRateHigh is the name of alerts of registered models; "
            "rename the rule",
            id="name of a threshold on errors",
        ),
        pytest.param(
            ALERT.replace("Slow", "DatasourceNoData"),
            "4: groups[0].rules[0].alert: DatasourceNoData is the name of alerts about missing data; rename the rule",
            id="name of missing data",
        ),
        pytest.param(
            ALERT.replace("Slow", '""'), "4: groups[0].rules[0].alert: must be the name of a rule", id="no name"
        ),
        pytest.param(
            ALERT.replace("Slow", '"  "'), "4: groups[0].rules[0].alert: must be the name of a rule", id="blank name"
        ),
        pytest.param(
            ALERT + "        labels: {team: a, model: all}\n",
            "6: groups[0].rules[0].labels.model: `by` tells alerts apart by model, and one value for all makes them "
            "one alert; leave this label out, or give it another name",
            id="label that is in by",
        ),
        pytest.param(
            ALERT.replace("p95(latency[1m]) > 1s by (model)", "max(my.gauge[1m]) > 1 by (alertname)"),
            "5: groups[0].rules[0].expr: by: alertname is set from the rule's name; use another label",
            id="by the name",
        ),
        pytest.param(
            ALERT + '        annotations: {summary: "{{ $labels.modle }}"}\n',
            "6: groups[0].rules[0].annotations.summary: no alert of this rule has $labels.modle; did you mean model?",
            id="label that no alert has",
        ),
        pytest.param(
            ALERT + '        annotations: {summary: "{{ $evidence.calls }}"}\n',
            "6: groups[0].rules[0].annotations.summary: no alert of this rule has $evidence.calls; "
            "known: events, window",
            id="evidence that there is not",
        ),
        pytest.param(
            ALERT + "        min_events: 1e400\n",
            "6: groups[0].rules[0].min_events: 1e400 is too large; write a number under 1e308",
            id="infinite",
        ),
        pytest.param(
            ALERT + "        severity: critical\n",
            "6: groups[0].rules[0].severity: belongs under `labels:`, as in labels: {severity: critical}",
            id="severity beside labels",
        ),
        pytest.param(
            ALERT + "        summary: slow\n",
            "6: groups[0].rules[0].summary: belongs under `annotations:`",
            id="summary beside annotations",
        ),
        pytest.param(
            ALERT + "        hysteresis: 5s\n",
            "6: groups[0].rules[0].hysteresis: unknown key; known: alert, annotations, expr, for, "
            "keep_firing_for, labels, min_events, no_data",
            id="nothing is suggested that is refused",
        ),
    ],
)
def test_what_no_start_would_take_or_no_alert_could_be_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    path = written(tmp_path, text)

    assert check(path) == [f"{path}:{line}"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        pytest.param(
            "", "{{ $labels.alertname }} {{ $labels.severity }} {{ $labels.model }}", id="labels of each alert"
        ),
        pytest.param("        labels: {team: a}\n", "{{ $labels.team }}", id="a label of the rule"),
        pytest.param("        no_data: no_data\n", "{{ $labels.rulename }}", id="the rule without data"),
        pytest.param("", "{{ $evidence.window }} {{ $evidence.events }}", id="evidence"),
        pytest.param("        no_data: alerting\n        min_events: 5\n", "{{ $evidence.min_events }}", id="too few"),
    ],
)
def test_annotations_may_speak_of_what_alerts_have(tmp_path: Path, more: str, words: str) -> None:
    path = written(tmp_path, ALERT + more + f'        annotations: {{summary: "{words}"}}\n')

    assert check(path) == []


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    assert check(tmp_path / "none.yaml") == [f"{tmp_path}/none.yaml: cannot be read: No such file or directory"]
