"""Distributions of features, as an attached process sends them."""

import os
import subprocess
import sys
import threading

import pytest

from monitorx.processor.attach import are_wanted
from tests.processor.process import SECOND_NS, Process


def test_features_are_exponential_histograms_with_their_anchor() -> None:
    process = Process()
    process.observe([[12.0], [8.0], [8.0], [10.0], [float("nan")], [float("inf")]])

    assert process.export()

    (export,) = process.exporter.exports
    feature = {
        "ml.model.name": "fraud",
        "ml.model.kind": "tabular",
        "ml.feature.name": "x0",
        "ml.feature.role": "input",
    }
    (point,) = export["ml.feature.distribution"]
    assert point.attributes == {**feature, "monitorx.anchor.center": 10.0, "monitorx.anchor.scale": 2.0}
    assert (point.start_time_unix_nano, point.time_unix_nano) == (100 * SECOND_NS, 105 * SECOND_NS)
    assert (point.scale, point.count, point.zero_count, point.min, point.max) == (6, 4, 1, -1.0, 1.0)
    assert (point.positive.offset, point.positive.bucket_counts) == (-1, [1])
    assert (point.negative.offset, point.negative.bucket_counts) == (-1, [2])
    assert [(p.value, p.attributes) for p in export["ml.feature.missing"]] == [(1, feature)]
    assert [(p.value, p.attributes) for p in export["ml.feature.nonfinite"]] == [(1, feature)]


def test_features_without_an_anchor_are_sent_when_the_process_ends() -> None:
    process = Process()
    process.observe([[10.0, 1.0]])
    process.export()
    process.attachment.export_once(is_last=True)

    names = [
        [p.attributes["ml.feature.name"] for p in e.get("ml.feature.distribution", [])]
        for e in process.exporter.exports
    ]
    assert names == [["x0"], ["x1"]]


def test_a_failed_export_of_features_is_sent_again_as_it_was() -> None:
    process = Process(False)
    process.observe([[12.0]])
    process.export()
    process.observe([[12.0]])
    process.export()

    counts = [[p.count for p in export["ml.feature.distribution"]] for export in process.exporter.exports]
    assert counts == [[1], [1], [1]]


def test_values_that_were_left_out_are_counted_by_reason() -> None:
    process = Process()
    process.observe([["a", "b"]])

    process.export()

    (export,) = process.exporter.exports
    assert [(p.value, p.attributes) for p in export["monitorx.values.dropped"]] == [
        (2, {"monitorx.drop.reason": "not_numeric"})
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param(None, True, id="absent"),
        pytest.param("", True, id="empty"),
        pytest.param("on", True, id="on"),
        pytest.param(" OFF ", False, id="off"),
        pytest.param("false", False, id="false"),
        pytest.param("perhaps", True, id="neither"),
    ],
)
def test_features_are_looked_at_unless_switched_off(text: str | None, wanted: bool) -> None:
    assert are_wanted(text) is wanted


def test_values_of_many_threads_are_all_counted_while_intervals_close() -> None:
    process = Process(capacity=100_000)

    def work() -> None:
        for _ in range(500):
            process.observe([[12.0]])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        process.export()
    process.export()

    points = [point for export in process.exporter.exports for point in export.get("ml.feature.distribution", [])]
    assert sum(point.count for point in points) == 2_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_sends_its_own_values_around_the_same_anchor() -> None:
    script = """
import os
from tests.processor.process import Process

process = Process()
process.attachment.start()
process.observe([[10.0, float(number)] for number in range(300)])
process.attachment.export_once()
process.observe([[10.0, 1.0]] * 2)
child = os.fork()
if not child:
    process.observe([[10.0, 7.0]] * 3)
else:
    os.waitpid(child, 0)
process.attachment.export_once()
points = process.exporter.exports[-1]["ml.feature.distribution"]
found = [(point.count, point.attributes["monitorx.anchor.scale"]) for point in points]
os.write(1, f"{'parent' if child else 'child'} {found}\\n".encode())
if not child:
    os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.splitlines() == ["child [(3, 2.0), (3, 128.0)]", "parent [(2, 2.0), (2, 128.0)]"]
