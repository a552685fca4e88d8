"""One connection: what comes in reaches the ingest step, what it answers goes back, in order and within bounds."""

from concurrent.futures import Future
from itertools import pairwise

import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from monitorx.backend.batch import Signal
from monitorx.backend.errors import Malformed, Overloaded, StorageError, TooLarge
from monitorx.backend.receiver.admission import Accepted, Encoding, Request
from monitorx.backend.receiver.bound import HttpSettings
from tests.support.reception import ARRIVAL_NS, Peer, Reply, request

PROTOBUF = {"content-type": "application/x-protobuf", "content-length": "0"}
OK = Reply(200, PROTOBUF, b"")
OK_LAST = Reply(200, {**PROTOBUF, "connection": "close"}, b"")


def _taken(body: bytes, compression: str = "") -> Request:
    return Request(Signal.TRACES, Encoding.PROTOBUF, compression, body, "default", ARRIVAL_NS)


def test_a_request_is_handed_on_as_it_came_and_answered_when_it_is_durable() -> None:
    peer = Peer()

    peer.send(request(b"abc", content_encoding="gzip"))
    before = peer.replies()
    peer.ingest.answer(0, Accepted())

    assert peer.ingest.requests == [_taken(b"abc", "gzip")]
    assert before == []
    assert peer.replies() == [OK]
    assert peer.counts.sums == {("requests_total", "http", "traces", "ok"): 1, ("bytes_total", "http", "traces"): 3}
    assert peer.reception.budget.held_bytes == 0


@pytest.mark.parametrize("signal", list(Signal))
def test_every_signal_has_its_path(signal: Signal) -> None:
    peer = Peer(at_once=Accepted())

    peer.send(request(b"{}", target=f"/v1/{signal}?tenant=a", content_type="Application/JSON; charset=utf-8"))

    assert [(each.signal, each.encoding) for each in peer.ingest.requests] == [(signal, Encoding.JSON)]
    assert peer.reply() == Reply(200, {"content-type": "application/json", "content-length": "2"}, b"{}")


@given(cuts=st.lists(st.integers(min_value=1, max_value=400), max_size=12))
def test_where_the_bytes_are_cut_changes_nothing(cuts: list[int]) -> None:
    stream = (
        request(b"one")
        + request(b"3\r\ntwo\r\n0\r\n\r\n", transfer_encoding="chunked")
        + request(b"three", connection="Upgrade, HTTP2-Settings", upgrade="h2c", http2_settings="AAEA")
        + request(b"", target="/nowhere")
        + request(b"four", connection="close")
    )
    edges = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
    peer = Peer(at_once=Accepted())

    peer.send(*(stream[start:end] for start, end in pairwise(edges)))

    assert [each.body for each in peer.ingest.requests] == [b"one", b"two", b"three", b"four"]
    assert [reply.status for reply in peer.replies()] == [200, 200, 200, 404, 200]
    assert peer.transport.state == "closed"


def test_answers_come_in_the_order_of_the_requests() -> None:
    peer = Peer()

    peer.send(request(b"first") + request(b"second", content_type="application/json"))
    peer.ingest.answer(1, Accepted())
    before = peer.replies()
    peer.ingest.answer(0, Accepted())

    assert before == []
    assert [reply.headers["content-type"] for reply in peer.replies()] == [
        "application/x-protobuf",
        "application/json",
    ]


def test_while_requests_wait_no_more_are_read() -> None:
    peer = Peer()

    peer.send(request(b"first") + request(b"second") + request(b"third")[:20])
    paused = not peer.transport.reading
    peer.ingest.answer(0, Accepted())
    still_paused = not peer.transport.reading
    peer.ingest.answer(1, Accepted())

    assert (paused, still_paused, peer.transport.reading) == (True, True, True)


def test_a_partial_success_says_how_many_and_why() -> None:
    peer = Peer(at_once=Accepted(rejected=2, message="2 spans without ids"))

    peer.send(request(b"{}", content_type="application/json"))

    assert peer.reply().body == b'{"partialSuccess": {"rejectedSpans": 2, "errorMessage": "2 spans without ids"}}'
    assert peer.counts.sums[("requests_total", "http", "traces", "partial")] == 1


@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after", "outcome"),
    [
        pytest.param(Malformed("not OTLP", field="spans"), 400, 3, None, "malformed", id="malformed"),
        pytest.param(TooLarge("over 64 MiB"), 413, 8, None, "too_large", id="too large"),
        pytest.param(Overloaded("full", retry_after_s=1.2), 429, 14, "2", "overloaded", id="overloaded"),
        pytest.param(StorageError("disk full"), 503, 14, "5", "unavailable", id="storage"),
        pytest.param(RuntimeError("a fault of ours"), 503, 14, "5", "unavailable", id="our fault"),
    ],
)
def test_a_failure_becomes_a_status(
    error: Exception, status: int, code: int, retry_after: str | None, outcome: str
) -> None:
    peer = Peer(at_once=error)

    peer.send(request(b"abc"))

    reply = peer.reply()
    told = status_pb2.Status.FromString(reply.body)
    assert (reply.status, told.code, reply.headers.get("retry-after")) == (status, code, retry_after)
    assert "fault of ours" not in told.message
    assert peer.counts.sums[("requests_total", "http", "traces", outcome)] == 1
    assert peer.transport.state == "open"


def test_a_malformed_request_is_told_which_field() -> None:
    peer = Peer(at_once=Malformed("not OTLP", field="spans"))

    peer.send(request(b"abc"))

    (detail,) = status_pb2.Status.FromString(peer.reply().body).details
    bad = error_details_pb2.BadRequest()
    assert detail.Unpack(bad)
    assert [(each.field, each.description) for each in bad.field_violations] == [("spans", "not OTLP")]


def test_a_future_that_was_cancelled_is_answered_as_temporary() -> None:
    peer = Peer()

    peer.send(request(b"abc"))
    peer.ingest.futures[0].cancel()

    assert peer.reply().status == 503


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(request(target="/"), 404, id="no such path"),
        pytest.param(request(target="/v1/traces/"), 404, id="trailing slash"),
        pytest.param(request(target="*", method="OPTIONS"), 404, id="asterisk"),
        pytest.param(request(method="GET"), 405, id="GET"),
        pytest.param(request(method="OPTIONS", origin="https://a.example"), 405, id="no CORS by default"),
        pytest.param(request(b"abc", content_type="text/plain"), 415, id="media type"),
        pytest.param(request(b"abc", content_encoding="gzip, gzip"), 415, id="two encodings"),
    ],
)
def test_what_the_head_rules_out_is_answered_and_the_connection_stays(data: bytes, status: int) -> None:
    peer = Peer(at_once=Accepted())

    peer.send(data, request(b"good"))

    assert [reply.status for reply in peer.replies()] == [status, 200]
    assert [each.body for each in peer.ingest.requests] == [b"good"]


def test_405_says_what_is_allowed_and_head_gets_no_body() -> None:
    peer = Peer()

    peer.send(request(method="HEAD"))

    assert peer.transport.sent.partition(b"\r\n\r\n")[2] == b""
    assert b"405" in peer.transport.sent
    assert b"\r\nAllow: POST\r\n" in peer.transport.sent


def test_a_sender_that_waits_for_a_word_gets_it() -> None:
    peer = Peer(at_once=Accepted())

    peer.send(request(length=3, expect="100-continue"))
    before = peer.replies()
    peer.send(b"abc")

    assert before == [Reply(100, {}, b"")]
    assert peer.replies()[1:] == [OK]


def test_http_1_0_is_answered_and_closed() -> None:
    peer = Peer(at_once=Accepted())

    peer.send(request(b"abc", connection="keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0"))

    assert peer.replies() == [OK_LAST]
    assert peer.transport.state == "closed"


def test_an_upgrade_without_a_body_is_answered_over_http_1_1() -> None:
    peer = Peer(at_once=Accepted())

    peer.send(request(connection="Upgrade, close", upgrade="h2c"))

    assert peer.replies() == [OK_LAST]


def test_connect_opens_no_tunnel() -> None:
    peer = Peer()

    peer.send(b"CONNECT a:1 HTTP/1.1\r\n\r\n" + request(b"abc"))

    assert peer.reply().status == 404
    assert peer.ingest.requests == []


def test_a_sender_that_ends_its_side_still_gets_its_answer() -> None:
    peer = Peer()
    peer.send(request(b"abc"))

    stays = peer.connection.eof_received()
    peer.ingest.answer(0, Accepted())

    assert (stays, peer.replies(), peer.transport.state) == (True, [OK], "closed")


def test_a_drained_connection_answers_and_closes() -> None:
    peer = Peer()
    idle, idle_transport = peer.connect()
    peer.send(request(b"abc"))

    peer.reception.is_draining = True
    peer.connection.drain()
    idle.drain()
    waiting = peer.transport.state
    peer.ingest.answer(0, Accepted())

    assert (idle_transport.state, waiting) == ("closed", "open")
    assert (peer.replies(), peer.transport.state) == ([OK_LAST], "closed")


def test_an_allowed_origin_may_post_from_a_page() -> None:
    peer = Peer(HttpSettings(cors_origins=frozenset({"https://a.example"})), at_once=Accepted())

    peer.send(
        request(method="OPTIONS", origin="https://a.example", access_control_request_headers="x-key"),
        request(b"abc", origin="https://a.example"),
        request(b"abc", origin="https://b.example"),
    )

    allowed = {"access-control-allow-origin": "https://a.example", "vary": "Origin"}
    preflight = {
        "access-control-allow-methods": "POST",
        "access-control-max-age": "7200",
        "access-control-allow-headers": "x-key",
    }
    assert peer.replies() == [Reply(204, preflight | allowed, b""), Reply(200, PROTOBUF | allowed, b""), OK]


class _RaisingIngest:
    def submit(self, request: Request) -> "Future[Accepted]":
        raise RuntimeError("it should not")


def test_an_ingest_step_that_raises_is_answered_as_temporary() -> None:
    peer = Peer()
    peer.reception.ingest = _RaisingIngest()

    peer.send(request(b"abc"))

    assert peer.reply().status == 503
    assert peer.reception.budget.held_bytes == 0


@pytest.mark.parametrize(
    "half",
    [
        pytest.param(request(b"abc", length=1000), id="body"),
        pytest.param(b"POST /v1/traces HTTP/1.1\r\nhost: x", id="head"),
    ],
)
def test_a_request_that_is_not_whole_holds_up_no_stop(half: bytes) -> None:
    peer = Peer()
    peer.send(half)

    peer.reception.is_draining = True
    peer.connection.drain()
    peer.connection.connection_lost(None)

    assert peer.transport.state == "aborted"
    assert peer.reception.budget.held_bytes == 0


def test_an_answer_goes_out_before_a_drained_connection_ends_though_half_a_request_follows() -> None:
    peer = Peer()
    peer.send(request(b"abc"), request(b"abc", length=1000))

    peer.reception.is_draining = True
    peer.connection.drain()
    waiting = peer.transport.state
    peer.ingest.answer(0, Accepted())

    assert (waiting, peer.replies()) == ("open", [OK_LAST])
    assert peer.transport.state == "half closed"


def test_a_refusal_that_the_sender_has_yet_to_read_is_left_to_arrive() -> None:
    peer = Peer(HttpSettings(max_body_bytes=1000))
    peer.send(request(length=100_000))

    peer.connection.drain()

    assert (peer.reply().status, peer.transport.state) == (413, "half closed")
