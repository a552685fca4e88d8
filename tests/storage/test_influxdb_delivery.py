"""What InfluxDB refuses: one bad line costs only itself, is counted, and blocks nothing behind it."""

import contextlib
import random
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitorx.backend.errors import StorageError
from monitorx.backend.storage.influxdb import delivery, parse
from monitorx.backend.storage.influxdb.answer import Answer
from monitorx.backend.storage.influxdb.delivery import Delivery, batches
from monitorx.backend.storage.influxdb.wire import Wire, WireV2, connect
from tests.support.fake_influxdb import FakeInfluxDB
from tests.support.influxd import Influxd

GOOD = [f"m,n=n{n} value={n}.5 {n}" for n in range(20)]


@pytest.fixture
def server() -> Iterator[FakeInfluxDB]:
    with FakeInfluxDB("b") as fake:
        yield fake


@pytest.fixture
def wire(server: FakeInfluxDB) -> Iterator[Wire]:
    wire = connect(parse(f"influxdb://127.0.0.1:{server.port}/o/b", {"MONITORX_INFLUXDB_TOKEN": "t"}))
    yield wire
    wire.close()


@pytest.fixture
def sender(wire: Wire) -> Delivery:
    return Delivery(wire)


def stored(server: FakeInfluxDB) -> list[str]:
    """The tags of the points that are there, in the order of time."""
    return [dict(point.tags)["n"] for point in sorted(server.points(), key=lambda each: each.time_ns)]


ALL = [f"n{n}" for n in range(20)]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(["bad line here="], id="one"),
        pytest.param(
            ["bad", "m,n= value=1 1", "m value=NaN 1", "m,time=1 v=1 1", "m v=1 99999999999999999999"], id="more"
        ),
        pytest.param(["m,n=1 text=\"it's ': odd\" then=no"], id="one with quotes in it"),
    ],
)
def test_lines_that_cannot_be_read_cost_only_themselves(server: FakeInfluxDB, sender: Delivery, bad: list[str]) -> None:
    sender.send([*GOOD[:10], *bad, *GOOD[10:]])

    assert (stored(server), sender.refused, len(server.writes)) == (ALL, len(bad), 2)


def test_only_bad_lines_are_counted_and_that_is_all(server: FakeInfluxDB, sender: Delivery) -> None:
    sender.send(["bad"])

    assert (server.points(), sender.refused) == ([], 1)


def test_a_partial_write_is_counted_and_never_sent_again(server: FakeInfluxDB, sender: Delivery) -> None:
    sender.send(["m,n=first value=1 -1"])

    sender.send([*GOOD[:10], 'm,n=x value="text" 5', "m,n=x value=1i 6", *GOOD[10:]])

    assert (stored(server), sender.refused, len(server.writes)) == (["first", *ALL], 2, 2)


def test_what_is_older_than_the_retention_is_counted(server: FakeInfluxDB, sender: Delivery) -> None:
    server.buckets["b"].oldest_ns = 5

    sender.send(GOOD)

    assert (stored(server), sender.refused) == (ALL[5:], 5)


def test_a_line_refused_without_being_named_is_found_by_halves(server: FakeInfluxDB, sender: Delivery) -> None:
    server.nameless = "n=n7 "

    sender.send(GOOD)

    assert (stored(server), sender.refused) == ([name for name in ALL if name != "n7"], 1)


def test_a_line_that_breaks_the_server_is_found_once_it_has_broken_it_often(
    server: FakeInfluxDB, sender: Delivery
) -> None:
    server.poison = "n=n7 "
    for _ in range(3):
        with pytest.raises(StorageError, match="500: internal error"):
            sender.send(GOOD)
    assert sender.refused == 0

    sender.send(GOOD)

    assert (stored(server), sender.refused) == ([name for name in ALL if name != "n7"], 1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param((429, "slow down"), "asks to wait", id="429"),
        pytest.param((503, "starting"), "503: starting", id="503"),
        pytest.param((500, "no space left on device"), "no space left on device", id="500"),
        pytest.param((401, "unauthorized access"), "does not know the token", id="401"),
        pytest.param((403, "forbidden"), "lets the token", id="403"),
        pytest.param((400, "Please provide either orgID or org"), "Please provide", id="400 about the settings"),
    ],
)
def test_trouble_of_the_server_is_told_and_the_same_lines_are_taken_later(
    server: FakeInfluxDB, sender: Delivery, answer: tuple[int, str], words: str
) -> None:
    server.next_answers = [answer] * 1000
    for _ in range(6):
        with pytest.raises(StorageError, match=words):
            sender.send(GOOD)
    server.next_answers = []

    sender.send(GOOD)

    assert (stored(server), sender.refused) == (ALL, 0)


@pytest.mark.parametrize("number", range(1, 25))
def test_a_server_that_comes_back_in_the_middle_of_a_search_loses_nothing(
    server: FakeInfluxDB, sender: Delivery, number: int
) -> None:
    server.next_answers = [(400, "Please provide either orgID or org")] * number

    for _ in range(3):
        with contextlib.suppress(StorageError):
            sender.send(GOOD)

    assert (stored(server), sender.refused) == (ALL, 0)


def test_a_body_that_is_too_large_is_halved(server: FakeInfluxDB, sender: Delivery) -> None:
    server.max_bytes = 130  # of gzip

    sender.send(GOOD)

    assert (stored(server), sender.refused) == (ALL, 0)
    assert len(server.writes) > 1


def test_a_line_that_alone_is_too_large_costs_only_itself(server: FakeInfluxDB, sender: Delivery) -> None:
    server.max_bytes = 300
    noise = random.Random(1).randbytes(1000).hex()  # does not compress
    huge = f'm,n=huge text="{noise}" 3'

    sender.send([*GOOD[:3], huge, *GOOD[3:]])

    assert (stored(server), sender.refused) == (ALL, 1)


def test_a_bucket_that_is_not_there_is_made_after_that_was_told(server: FakeInfluxDB, wire: Wire) -> None:
    del server.buckets["b"]
    told: list[tuple[bool, bool]] = []

    Delivery(wire, on_missing=lambda is_first: told.append((is_first, "b" in server.buckets))).send(GOOD)

    assert (stored(server), told) == (ALL, [(True, False)])


def test_a_bucket_that_somebody_else_made_meanwhile_is_fine(server: FakeInfluxDB, wire: Wire) -> None:
    wire.create()

    assert list(server.buckets) == ["b"]


def test_an_organisation_that_is_not_there_is_told(server: FakeInfluxDB) -> None:
    wire = connect(parse(f"influxdb://127.0.0.1:{server.port}/other/b", {"MONITORX_INFLUXDB_TOKEN": "t"}))

    with pytest.raises(StorageError, match=r"influxdb://127.0.0.1:\d+/other/b cannot be made: 404 organization"):
        Delivery(wire).send(GOOD)
    wire.close()


def test_a_token_that_is_changed_in_its_file_is_used(server: FakeInfluxDB, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old-secret")
    address = f"influxdb://127.0.0.1:{server.port}/o/b"
    wire = connect(parse(address, {"MONITORX_INFLUXDB_TOKEN_FILE": str(file)}))
    with pytest.raises(StorageError) as trouble:
        Delivery(wire).send(GOOD)
    assert "old-secret" not in str(trouble.value)

    file.write_text("t")
    Delivery(wire).send(GOOD)

    assert stored(server) == ALL
    assert [each for _, each in wire.query('SELECT "value" FROM "none" WHERE time >= 0')] == []
    wire.close()


@pytest.mark.parametrize("scheme", ["influxdb1", "influxdb"])
def test_a_server_that_is_away_is_told_without_a_secret(scheme: str) -> None:
    secrets = {"MONITORX_INFLUXDB_TOKEN": "hush-hush", "MONITORX_INFLUXDB_PASSWORD": "hush-hush"}
    address = f"{scheme}://127.0.0.1:1/{'o/' if scheme == 'influxdb' else ''}b"
    wire = connect(parse(address, {**secrets, "MONITORX_INFLUXDB_USER": "u"}))

    for ask in (lambda: Delivery(wire).send(GOOD), lambda: list(wire.query("SELECT 1")), wire.create):
        with pytest.raises(StorageError, match=f"{address} does not answer") as trouble:
            ask()
        assert "hush" not in str(trouble.value)
    wire.close()


@pytest.mark.parametrize("scheme", ["influxdb1", "influxdb"])
def test_a_question_to_a_server_that_never_answers_ends(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/{'o/' if scheme == 'influxdb' else ''}b"
        target = parse(address, {"MONITORX_INFLUXDB_TOKEN": "t"})
        wire = Wire(target, question_s=0.05) if target.is_v1 else WireV2(target, question_s=0.05)

        with pytest.raises(StorageError, match=f"{address} does not answer: timed out"):
            list(wire.query("SELECT 1"))
        wire.close()


class Broken:
    """A server that takes nothing at all, and counts how often it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.asked = answer, 0

    def write(self, lines: Sequence[str]) -> Answer:
        self.asked += 1
        return self.answer

    def create(self) -> None:
        """It can do that."""


@pytest.mark.parametrize("status", [400, 500])
def test_a_server_that_takes_nothing_loses_nothing_and_is_not_asked_line_by_line(status: int) -> None:
    broken = Broken(Answer(status, "whatever"))
    sender = Delivery(broken)
    lines = [f"m value={n} {n}" for n in range(5000)]

    for _ in range(5):
        with pytest.raises(StorageError):
            sender.send(lines)

    assert sender.refused == 0
    assert broken.asked < 5 * 40


@given(st.lists(st.text("ab", max_size=9)), st.integers(1, 5), st.integers(1, 20))
def test_batches_are_bounded_and_together_everything(lines: list[str], most_lines: int, most_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery, "MAX_LINES", most_lines)
        patch.setattr(delivery, "MAX_BYTES", most_bytes)
        found = list(batches(lines))

    assert [line for batch in found for line in batch] == lines
    for batch in found:
        assert 1 <= len(batch) <= most_lines
        assert len(batch) == 1 or sum(len(line) + 1 for line in batch) <= most_bytes


@pytest.mark.needs("influxdb")
def test_a_real_1x_keeps_the_neighbours_of_bad_lines(tmp_path: Path) -> None:
    with Influxd(tmp_path / "influxd") as influxd:
        wire = connect(parse(f"influxdb1://127.0.0.1:{influxd.port}/my db", {}))
        sender = Delivery(wire)

        sender.send([*GOOD[:10], "bad line here=", 'm,n=x value="text" 5', "worse", *GOOD[10:]])
        found = [values for _, each in wire.query('SELECT "value", "n" FROM "m"') for values in each.values]
        wire.close()

    assert [name for _, _, name in found] == ALL
    assert sender.refused > 0
