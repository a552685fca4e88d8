"""Evaluations of rules over 500 models on processes and an hour of panes, by how much of the windows has changed."""

import time
from datetime import timedelta

import numpy as np

from monitorx.backend.rule import Rule, evaluate, parse
from monitorx.backend.window import PANE_NS, SPAN, Bounds, LatencyHistogram, PaneKey, PanePartial, Windows

KEYS, PANES = 500, 360
NOW = 1_800_000_000_000_000_000 // PANE_NS * PANE_NS
RULES = (
    "p95(latency[1h]) > 10s by (model)",
    "ratio(errors[1h], requests[1h]) > 1% by (model)",
    "max(latency[1m]) > 10s by (model)",
)


def main() -> None:
    """Print what an evaluation takes at first, when nothing has moved, and when a pane is over."""
    windows = Windows(Bounds(retain=timedelta(hours=1)))
    newest, older = ([_pane(key, back) for key in range(KEYS) for back in span] for span in (range(4), range(4, PANES)))
    windows.restore(newest, older, {})
    rules = [Rule(str(number), parse(text)) for number, text in enumerate(RULES)]
    first_s = _evaluation_s(windows, rules, NOW)
    still_s = [_evaluation_s(windows, rules, NOW) for _ in range(9)]
    moved_s = [_evaluation_s(windows, rules, NOW + step * PANE_NS) for step in range(1, 10)]
    print(
        f"{KEYS * PANES:,} panes, {len(rules)} rules: {first_s * 1e3:.0f} ms at first, "
        f"{np.median(still_s) * 1e3:.0f} ms within a pane, {np.median(moved_s) * 1e3:.0f} ms where a new one begins"
    )


def _evaluation_s(windows: Windows, rules: list[Rule], now_ns: int) -> float:
    began_s = time.perf_counter()
    windows.close(now_ns)
    for rule in rules:
        evaluate(rule, windows, now_ns)
    return time.perf_counter() - began_s


def _pane(key: int, back: int) -> PanePartial:
    name = PaneKey("default", "shop", f"i{key % 10}", f"m{key // 10}", "1", "tabular", "predict", SPAN)
    latency = LatencyHistogram(-50 + key % 7, np.ones(20), sum_s=1.0, max_s=1.0)
    return PanePartial(name, NOW - back * PANE_NS, 20.0, 0.0, latency)


if __name__ == "__main__":
    main()
