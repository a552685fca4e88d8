"""The server's own counters and gauges."""

import threading

import pytest

from monitorx.backend.telemetry import METRICS, Metric, Telemetry


def test_a_counter_adds_up_by_labels() -> None:
    telemetry = Telemetry(strict=True)
    telemetry.count("monitorx_decode_items_total", {"signal": "traces"}, 3)
    telemetry.count("monitorx_decode_items_total", {"signal": "traces"})
    telemetry.count("monitorx_decode_items_total", {"signal": "logs"})

    assert telemetry.value("monitorx_decode_items_total", {"signal": "traces"}) == 4.0
    assert telemetry.value("monitorx_decode_items_total", {"signal": "metrics"}) == 0.0


def test_counts_from_many_threads_are_all_there() -> None:
    telemetry = Telemetry(strict=True)
    threads = [
        threading.Thread(target=lambda: [telemetry.count("monitorx_store_commits_total", {}) for _ in range(500)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert telemetry.value("monitorx_store_commits_total") == 2000.0


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        pytest.param("monitorx_shoe_size_total", {}, id="unknown name"),
        pytest.param("monitorx_decode_items_total", {}, id="missing label"),
        pytest.param("monitorx_store_commits_total", {"a": "b"}, id="label too many"),
        pytest.param("monitorx_window_panes", {}, id="gauge"),
    ],
)
def test_what_the_table_does_not_declare_fails_in_tests_and_is_counted_in_production(
    name: str, labels: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KeyError, match=name):
        Telemetry(strict=True).count(name, labels)

    telemetry = Telemetry()
    telemetry.count(name, labels)
    telemetry.count(name, labels)

    assert telemetry.value("monitorx_telemetry_unknown_total") == 2.0
    assert [record.message.split()[1] for record in caplog.records] == [name]


def test_readings_are_taken_when_scraped_and_one_that_fails_is_left_out() -> None:
    telemetry = Telemetry(strict=True)
    panes = [1.0]
    telemetry.gauge("monitorx_window_panes", lambda: panes[0])
    telemetry.gauge("monitorx_window_series", lambda: 1 / 0)
    telemetry.counter("monitorx_journal_records_total", lambda: 7)
    panes[0] = 5.0

    lines = [line for line in telemetry.exposition().decode().splitlines() if line.startswith("monitorx_")]

    assert lines == ["monitorx_window_panes 5.0", "monitorx_journal_records_total 7.0"]


@pytest.mark.parametrize("name", ["monitorx_store_commits_total", "monitorx_decode_items_total", "monitorx_shoe_size"])
def test_a_gauge_that_the_table_does_not_declare_fails(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        Telemetry(strict=True).gauge(name, lambda: 1.0)


def test_the_exposition_has_the_help_text_and_no_creation_times() -> None:
    telemetry = Telemetry((Metric("monitorx_a_total", "counter", (), "What a is."),), strict=True)
    telemetry.count("monitorx_a_total", {})

    text = telemetry.exposition().decode()

    assert "# HELP monitorx_a_total What a is.\n# TYPE monitorx_a_total counter\nmonitorx_a_total 1.0\n" in text
    assert "_created" not in text
    assert "process_resident_memory_bytes" in text


def test_names_are_unique_and_follow_the_conventions() -> None:
    names = [metric.name for metric in METRICS]

    assert len(set(names)) == len(names)
    assert all(metric.name.endswith("_total") == (metric.kind == "counter") for metric in METRICS)
