"""One connection: bad framing, bounds and deadlines. What is refused is answered, and nothing is held after it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitorx.backend.receiver.admission import Accepted
from monitorx.backend.receiver.bound import HttpSettings
from tests.support.reception import Peer, Reply, request

OK = Reply(200, {"content-type": "application/x-protobuf", "content-length": "0"}, b"")
SMALL = HttpSettings(max_body_bytes=1000, max_buffered_bytes=1500)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(request(b"0\r\n\r\n", transfer_encoding="chunked", content_length="5"), id="length and chunked"),
        pytest.param(request(b"abc", transfer_encoding="gzip, chunked"), id="gzip, chunked"),
        pytest.param(request(b"abc", transfer_encoding="gzip"), id="transfer gzip"),
        pytest.param(request(length=-5), id="negative length"),
        pytest.param(request(b"abc", Content_Length="4"), id="two lengths"),
        pytest.param(request(b"zz\r\nabc\r\n", transfer_encoding="chunked"), id="bad chunk size"),
        pytest.param(request(b"FFFFFFFFFFFFFFFFF\r\na", transfer_encoding="chunked"), id="huge chunk size"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS hello"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
    ],
)
def test_bad_framing_is_refused_and_nothing_after_it_is_read(data: bytes) -> None:
    peer = Peer(at_once=Accepted())

    peer.send(data + request(b"smuggled"), request(b"smuggled"))

    assert (peer.reply().status, peer.reply().headers["connection"]) == (400, "close")
    assert peer.ingest.requests == []
    assert peer.transport.state != "open"


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        pytest.param([b"POST /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n"], 414, id="long request line"),
        pytest.param([b"POST /v1/traces HTTP/1.1\r\nx: " + b"a" * 70_000 + b"\r\n\r\n"], 431, id="long header"),
        pytest.param([b"POST /v1/traces HTTP/1.1\r\nx: ", *[b"a" * 5000] * 20], 431, id="header without end"),
        pytest.param([b"POST /v1/traces HTTP/1.1\r\n" + b"x: 1\r\n" * 200], 431, id="many headers"),
        pytest.param(
            [request(b"1\r\na\r\n0\r\nx: ", transfer_encoding="chunked"), *[b"a" * 5000] * 20],
            431,
            id="trailer without end",
        ),
        pytest.param([b"\r\n" * 5000] * 20, 431, id="empty lines"),
    ],
)
def test_a_head_over_its_bounds_is_refused(pieces: list[bytes], status: int) -> None:
    peer = Peer()

    peer.send(*pieces)

    assert peer.reply().status == status
    assert peer.ingest.requests == []


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([request(length=100_000)], id="said so"),
        pytest.param(
            [request(b"", transfer_encoding="chunked"), *[b"64\r\n" + b"a" * 100 + b"\r\n"] * 11], id="chunked"
        ),
    ],
)
def test_a_body_over_the_limit_is_refused_so_that_the_answer_is_seen(pieces: list[bytes]) -> None:
    peer = Peer(SMALL)

    peer.send(*pieces)

    assert peer.reply().status == 413
    assert (peer.transport.state, peer.transport.reading) == ("half closed", True)
    assert peer.reception.budget.held_bytes == 0


def test_what_follows_a_refused_body_is_read_over_for_a_while_only() -> None:
    peer = Peer(SMALL)
    peer.send(request(length=100_000))

    peer.send(b"a" * 1500)
    before = peer.transport.state
    peer.send(b"a" * 1500)

    assert (before, peer.transport.state) == ("half closed", "aborted")


def test_bodies_of_all_connections_share_one_budget() -> None:
    peer = Peer(SMALL)
    other, _ = peer.connect()
    other.data_received(request(b"a" * 900, length=1000))

    peer.send(request(b"b" * 700))
    refused = peer.reply()
    other.connection_lost(None)

    assert (refused.status, refused.headers["retry-after"]) == (429, "2")
    assert peer.ingest.requests == []
    assert peer.reception.budget.held_bytes == 0


def test_a_body_counts_until_its_request_is_answered() -> None:
    peer = Peer(SMALL)

    peer.send(request(b"a" * 900))
    waiting = peer.reception.budget.held_bytes
    peer.connection.connection_lost(ConnectionResetError())
    orphaned = peer.reception.budget.held_bytes
    peer.ingest.answer(0, Accepted())

    assert (waiting, orphaned, peer.reception.budget.held_bytes) == (900, 900, 0)


def test_connections_over_the_bound_are_closed() -> None:
    peer = Peer(HttpSettings(max_connections=1))

    _, transport = peer.connect()

    assert transport.state == "closed"
    assert len(peer.reception.connections) == 1
    assert peer.counts.sums == {("connections_rejected_total", "http", "too_many"): 1}


@pytest.mark.parametrize(
    ("sent", "part", "seconds"),
    [
        pytest.param(request(b"abc")[:30], "head", 20, id="head"),
        pytest.param(request(b"abc", length=100), "body", 60, id="body"),
    ],
)
def test_what_trickles_in_is_given_up(sent: bytes, part: str, seconds: int) -> None:
    peer = Peer()
    peer.send(sent)

    peer.wait(seconds - 1)
    peer.send(b"a")
    before = peer.replies()
    peer.wait(1)

    assert before == []
    assert peer.reply().status == 408
    assert peer.counts.sums[("connections_rejected_total", "http", f"slow_{part}")] == 1
    peer.wait(5)
    assert peer.transport.state == "aborted"


FLOWING = HttpSettings(body_timeout_s=60, min_body_bytes_s=10, max_body_bytes=5000, max_buffered_bytes=5000)


def test_a_body_that_flows_may_take_its_time() -> None:
    peer = Peer(FLOWING, at_once=Accepted())
    peer.send(request(length=2400))

    for _ in range(4):
        peer.send(b"a" * 600)
        peer.wait(60)

    assert (peer.replies(), peer.counts.sums[("connections_rejected_total", "http", "slow_body")]) == ([OK], 0)


@pytest.mark.parametrize(
    "minutes",
    [
        pytest.param([599], id="from the start"),
        pytest.param([2000, 599], id="after much at once"),
    ],
)
def test_a_body_that_does_not_flow_any_more_is_given_up(minutes: list[int]) -> None:
    peer = Peer(FLOWING)
    peer.send(request(length=4000))

    for size in minutes:
        before = peer.replies()
        peer.send(b"a" * size)
        peer.wait(60)

    assert (before, peer.reply().status, peer.reception.budget.held_bytes) == ([], 408, 0)


def test_what_a_body_had_before_does_not_help_the_next() -> None:
    peer = Peer(FLOWING, at_once=Accepted())

    peer.send(request(b"a" * 2000), request(b"a" * 599, length=1000))
    peer.wait(60)

    assert [reply.status for reply in peer.replies()] == [200, 408]


def test_slow_bodies_leave_half_of_the_memory_to_others() -> None:
    peer = Peer(FLOWING)
    other, transport = peer.connect()

    peer.send(request(b"a" * 1500, length=4000))
    other.data_received(request(b"a" * 1500, length=4000))
    for each in (peer.connection, other):
        peer.now = 60.0
        each.expire()

    assert (peer.reply().status, peer.reply().headers["retry-after"]) == (429, "2")
    assert (transport.sent, other.deadline, peer.reception.budget.held_bytes) == (b"", 120.0, 1500)
    assert peer.counts.sums[("connections_rejected_total", "http", "slow_body")] == 1


def test_an_idle_connection_is_closed_without_a_word() -> None:
    peer = Peer(at_once=Accepted())
    peer.send(request(b"abc"))

    peer.wait(89)
    before = peer.transport.state
    peer.wait(1)

    assert (before, peer.transport.state) == ("open", "closed")
    assert peer.replies() == [OK]


def test_an_answer_that_does_not_come_in_time_is_replaced() -> None:
    peer = Peer()
    peer.send(request(b"abc"))

    peer.wait(30)
    peer.ingest.answer(0, Accepted())

    assert (peer.reply().status, peer.reply().headers["retry-after"]) == (503, "5")
    assert peer.transport.state == "closed"
    assert peer.reception.budget.held_bytes == 0


def test_a_sender_that_does_not_read_its_answers_is_cut_off() -> None:
    peer = Peer(at_once=Accepted())

    peer.connection.pause_writing()
    peer.send(request(b"abc"))
    paused = not peer.transport.reading
    peer.wait(30)

    assert (paused, peer.transport.state) == (True, "aborted")
    assert peer.counts.sums[("connections_rejected_total", "http", "slow_answer")] == 1


def test_reading_goes_on_when_the_sender_reads_its_answers() -> None:
    peer = Peer(at_once=Accepted())

    peer.connection.pause_writing()
    peer.connection.resume_writing()
    peer.send(request(b"abc"))

    assert (peer.transport.reading, peer.replies()) == (True, [OK])


@given(data=st.binary(max_size=400), cut=st.integers(min_value=0, max_value=400))
def test_any_bytes_leave_the_receiver_in_order(data: bytes, cut: int) -> None:
    peer = Peer(at_once=Accepted())

    peer.send(data[:cut], data[cut:])
    peer.connection.connection_lost(None)

    assert all(reply.status < 500 for reply in peer.replies())
    assert (peer.reception.connections, peer.reception.budget.held_bytes) == (set(), 0)


def test_a_sender_that_waits_for_a_word_hears_at_once_that_it_is_too_much() -> None:
    peer = Peer(SMALL)

    peer.send(request(length=2000, expect="100-continue"))

    assert peer.reply().status == 413


def test_a_closing_connection_is_not_read_again_when_its_answer_has_gone_out() -> None:
    peer = Peer(SMALL)

    peer.connection.pause_writing()
    peer.send(request(length=100_000))
    peer.connection.resume_writing()
    peer.wait(5)

    assert peer.transport.state == "aborted"
