"""What Grafana does with a dashboard before it asks: variables are put in, then the questions go to the data source."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ALL = "$__all"


@dataclass(frozen=True)
class Question:
    """One question of a dashboard; *place* is where it stands, in words."""

    place: str
    query: str


def loaded(path: Path) -> dict[str, Any]:
    """The dashboard in this file."""
    content = json.loads(path.read_text())
    assert isinstance(content, dict)
    return content


def panels(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All panels that are not headings, those below a folded heading too."""
    found = [[panel, *panel.get("panels", [])] for panel in dashboard["panels"]]
    return [panel for group in found for panel in group if panel["type"] != "row"]


def questions(dashboard: Mapping[str, Any]) -> Iterator[Question]:
    """All that a dashboard asks: for panels, annotations and variables."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield Question(f"panel {panel['title']} {target['refId']}", target["query"])
    for annotation in dashboard["annotations"]["list"]:
        yield Question(f"annotation {annotation['name']}", annotation["target"]["query"])
    for variable in dashboard["templating"]["list"]:
        yield Question(f"variable {variable['name']}", variable["query"])


def asked(
    query: str,
    *,
    variables: Mapping[str, str | Sequence[str]],
    start_ms: int,
    end_ms: int,
    step_s: int,
    now: bool = False,
) -> str:
    """
    The question as it reaches InfluxDB.

    Args:
        variables: What is chosen: `ALL`, one value, or several.
        step_s: What `$__interval` is.
        now: Whether the range ends now. The data source's browser part says so in other words than its server part.
    """
    time_filter = f"time >= {start_ms}ms and time <= {end_ms}ms"
    if now:
        time_filter = f"time >= now() - {-(-(end_ms - start_ms) // 60_000)}m and time <= now()"
    for name, chosen in variables.items():
        query = query.replace(f"${{{name}:regex}}", _pattern(chosen))
    for name, text in (
        ("$timeFilter", time_filter),
        ("$__interval_ms", str(step_s * 1000)),
        ("$__interval", f"{step_s}s"),
    ):
        query = query.replace(name, text)
    return query


def _pattern(chosen: str | Sequence[str]) -> str:
    """Of Grafana's format `regex`; a custom value for all is put in as it is."""
    if chosen == ALL:
        return ".*"
    if isinstance(chosen, str):
        return re.sub(r"[\\^$*+?.()|\[\]{}/]", r"\\\g<0>", chosen)
    return f"({'|'.join(_pattern(each) for each in chosen)})"
