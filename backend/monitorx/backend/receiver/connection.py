"""
One HTTP/1.1 connection: bytes in, requests to the ingest step, answers out in the order of the requests.

An asyncio protocol on the httptools parser. Every wait has a deadline, which the receiver checks about once a second
(`expire`): a head or a body that trickles in, an answer that does not come or is not read, an idle connection.
While a request waits for its answer the next ones are not read, beyond what came in the same read.
"""

import asyncio
from collections import deque
from concurrent.futures import CancelledError, Future
from enum import Enum
from typing import cast

import httptools

from monitorx.backend.receiver import response
from monitorx.backend.receiver.admission import Accepted, Request
from monitorx.backend.receiver.answer import (
    NO_ANSWER,
    Outcome,
    Refusal,
    malformed,
    refusal_of,
    too_slow,
    unavailable,
)
from monitorx.backend.receiver.exchange import Exchange
from monitorx.backend.receiver.head import Admitted, Preflight, admit, allowed_origin, media_type
from monitorx.backend.receiver.message import Message, TooMuch, head_too_large
from monitorx.backend.receiver.reception import Reception
from monitorx.backend.receiver.response import Response

_DISCARDED_BYTES = 64 << 10  # the body of a refused request is read over up to here, so that its connection can stay
_NO_SIGNAL = "none"  # the label of requests that were refused before it was known


class _Stage(Enum):
    IDLE = "idle"
    HEAD = "head"
    BODY = "body"


class Connection(asyncio.Protocol):
    """See the module. The methods named `on_…` are called by the parser."""

    __slots__ = (
        "_closing",
        "_discarded_bytes",
        "_early",
        "_exchanges",
        "_has_eof",
        "_is_over",
        "_is_paused",
        "_is_stalled",
        "_is_upgrading",
        "_message",
        "_parser",
        "_progress",
        "_reception",
        "_silent_bytes",
        "_stage",
        "_transport",
        "_verdict",
        "deadline",
    )

    def __init__(self, reception: Reception) -> None:
        settings = reception.settings
        self._reception = reception
        self._message = Message(reception.budget, settings)
        self._parser = httptools.HttpRequestParser(self)
        self._exchanges: deque[Exchange] = deque()
        self._verdict: Admitted | None = None
        self._early: Response | None = None
        self._stage = _Stage.IDLE
        self._closing = False  # the last answer is written
        self._is_over = False  # nothing more is read from this sender
        self._has_eof = self._is_paused = self._is_stalled = self._is_upgrading = False
        self._progress = self._silent_bytes = self._discarded_bytes = 0
        self._transport: asyncio.Transport | None = None
        self.deadline = reception.now() + settings.idle_timeout_s

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # a stream server gives nothing else
        connections = self._reception.connections
        if len(connections) >= self._reception.settings.max_connections:
            self._reject("too_many")
            self._close()
            return
        connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._reception.connections.discard(self)
        self._transport = None
        self._closing = self._is_over = True
        self._exchanges.clear()  # what they wait for comes, and finds nobody
        self._message.drop_body()

    def eof_received(self) -> bool:
        self._has_eof = True
        return bool(self._exchanges) and not self._closing

    def pause_writing(self) -> None:
        self._is_stalled = True
        self._pause()
        self.deadline = self._reception.now() + self._reception.settings.answer_timeout_s

    def resume_writing(self) -> None:
        self._is_stalled = False
        if not self._exchanges and not self._closing:
            self._await_next()

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            self._discard(len(data))
            return
        before = self._progress
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            self._stop(error)
            return
        self._silent_bytes = 0 if self._progress != before else self._silent_bytes + len(data)
        if self._silent_bytes > self._reception.settings.max_head_bytes:
            self._refuse(head_too_large())  # a line that never ends: the parser would hold all of it
        elif self._exchanges and (len(self._exchanges) > 1 or self._stage is not _Stage.IDLE):
            self._pause()

    # What the receiver calls.

    def expire(self) -> None:
        """The deadline has passed."""
        if self._closing or self._is_stalled:
            self.abort("slow_answer" if self._is_stalled else None)
        elif self._exchanges:
            first = self._exchanges[0]
            first.keep_alive = False
            self._answer(first, response.refused(unavailable(NO_ANSWER), first.encoding), Outcome.UNAVAILABLE)
        elif self._stage is _Stage.IDLE:
            self._close()
        else:
            self._expire_request()

    def drain(self) -> None:
        """Close as soon as what was taken is answered; to a request that is not whole, nothing was promised."""
        if self._stage is _Stage.IDLE and not self._exchanges:
            self._close()
        elif not self._exchanges and not self._closing:
            self.abort()

    def abort(self, reason: str | None = None) -> None:
        """Close now, whatever is in flight; with a *reason* it is counted."""
        if reason is not None:
            self._reject(reason)
        if self._transport is not None:
            self._transport.abort()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._progress += 1
        self._message.begin()
        self._enter(_Stage.HEAD, self._reception.settings.head_timeout_s)

    def on_url(self, url: bytes) -> None:
        self._message.add_target(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._message.add_header(name, value, trailer=self._stage is _Stage.BODY)

    def on_headers_complete(self) -> None:
        self._progress += 1
        message, settings = self._message, self._reception.settings
        method = self._parser.get_method()
        if self._parser.should_upgrade() and method != b"CONNECT":
            self._is_upgrading = True  # the parser leaves the body out; _parse gives it a head without the upgrade
            return
        verdict = admit(method, message.target, message.headers, settings)
        self._enter(_Stage.BODY, settings.body_timeout_s)
        if isinstance(verdict, Admitted):
            self._verdict = verdict
            if message.expects_continue() and not self._exchanges:
                self._write(response.CONTINUE)
            return
        self._decide_early(verdict, method)

    def on_body(self, body: bytes) -> None:
        self._progress += 1
        if self._early is None:
            self._message.add_body(body)

    def on_message_complete(self) -> None:
        if self._is_upgrading:
            return
        self._progress += 1
        keep_alive = self._parser.should_keep_alive() and self._parser.get_http_version() == "1.1"
        self._is_over = not keep_alive
        self._enter(_Stage.IDLE, self._reception.settings.answer_timeout_s)
        verdict, self._verdict = self._verdict, None
        early, self._early = self._early, None
        exchange = self._exchange(verdict, keep_alive=keep_alive)
        self._exchanges.append(exchange)
        if early is not None:
            exchange.answer = early
            self._flush()
        elif verdict is not None:
            self._submit(verdict, exchange)

    # Requests in.

    def _parse(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                self._parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as upgrade:
                rest = rest[upgrade.args[0] :]
                self._is_upgrading = False
                head = self._message.head_without_upgrade(self._parser.get_method())
                self._parser = httptools.HttpRequestParser(self)  # the old one may not read on after such a request
                self._parser.feed_data(head)

    def _stop(self, error: Exception) -> None:
        """The parser cannot go on, by a fault of the sender or because a callback said no."""
        if self._is_over:
            return  # bytes after the last request
        cause = error.__context__
        if isinstance(cause, TooMuch):
            self._refuse(cause.refusal)
        elif isinstance(error, httptools.HttpParserCallbackError):
            self._refuse(refusal_of(cause or error))
        else:
            self._refuse(malformed(f"not HTTP/1.1: {error}", field="request"))

    def _decide_early(self, verdict: Preflight | Refusal, method: bytes) -> None:
        """Answer from the head alone: after the body where that is short, else at once, and close."""
        message = self._message
        if isinstance(verdict, Preflight):
            self._early = response.preflight(verdict.headers)
            return
        expected = message.body_expected()
        is_short = expected is not None and expected <= _DISCARDED_BYTES
        if method == b"CONNECT" or not is_short or (expected and message.expects_continue()):
            raise TooMuch(verdict)
        self._count(_NO_SIGNAL, verdict.outcome)
        early = response.refused(verdict, media_type(message.headers))
        self._early = early.without_body() if method == b"HEAD" else early

    def _submit(self, verdict: Admitted, exchange: Exchange) -> None:
        reception = self._reception
        exchange.size = self._message.size
        body = self._message.take_body()
        labels = {"transport": "http", "signal": exchange.signal}
        reception.count("monitorx_receiver_bytes_total", labels, exchange.size)
        request = Request(verdict.signal, verdict.encoding, verdict.compression, body, "default", reception.clock())
        future = reception.submit(request)
        future.add_done_callback(lambda done: reception.call_soon(self._settle, verdict, exchange, done))

    def _exchange(self, verdict: Admitted | None, *, keep_alive: bool) -> Exchange:
        headers = self._message.headers
        return Exchange(
            verdict.signal if verdict else _NO_SIGNAL,
            verdict.encoding if verdict else media_type(headers),
            allowed_origin(headers, self._reception.settings.cors_origins),
            keep_alive,
        )

    # Answers out.

    def _settle(self, verdict: Admitted, exchange: Exchange, done: "Future[Accepted]") -> None:
        self._reception.budget.give(exchange.size)
        if exchange.answer is not None:
            return  # the deadline came first
        error = CancelledError() if done.cancelled() else done.exception()
        if error is not None:
            refusal = refusal_of(error)
            self._answer(exchange, response.refused(refusal, verdict.encoding), refusal.outcome)
            return
        accepted = done.result()
        outcome = Outcome.PARTIAL if accepted.rejected else Outcome.OK
        self._answer(exchange, response.accepted(verdict.signal, verdict.encoding, accepted), outcome)

    def _refuse(self, refusal: Refusal) -> None:
        """The last answer: what comes after it is not read."""
        self._message.drop_body()
        self._is_over = True
        verdict, self._verdict = self._verdict, None
        exchange = self._exchange(verdict, keep_alive=False)
        self._exchanges.append(exchange)
        self._answer(exchange, response.refused(refusal, exchange.encoding), refusal.outcome)

    def _answer(self, exchange: Exchange, answer: Response, outcome: Outcome) -> None:
        self._count(exchange.signal, outcome)
        exchange.answer = answer
        self._flush()

    def _flush(self) -> None:
        """Write the answers whose turn it is."""
        exchanges = self._exchanges
        while exchanges and (answer := exchanges[0].answer) is not None:
            exchange = exchanges.popleft()
            if exchange.origin is not None:
                answer = answer.with_origin(exchange.origin)
            is_last = not exchange.keep_alive or (self._reception.is_draining and not exchanges)
            self._write(answer.written(close=is_last))
            if is_last:
                self._finish()
                return
        if not exchanges and not self._closing:
            self._await_next()

    def _await_next(self) -> None:
        settings = self._reception.settings
        if self._has_eof:
            self._close()
        elif not self._is_stalled:
            timeouts = {
                _Stage.IDLE: settings.idle_timeout_s,
                _Stage.HEAD: settings.head_timeout_s,
                _Stage.BODY: settings.body_timeout_s,
            }
            self.deadline = self._reception.now() + timeouts[self._stage]
            self._resume()

    # The transport.

    def _expire_request(self) -> None:
        """A body that flows may go on; all else took too long."""
        stage, timeout_s = self._stage, self._reception.settings.body_timeout_s
        refusal = self._message.overdue() if stage is _Stage.BODY else too_slow(stage.value)
        if refusal is None:
            self._enter(stage, timeout_s)
            return
        self._reject(f"slow_{stage.value}")
        self._refuse(refusal)

    def _enter(self, stage: _Stage, timeout_s: float) -> None:
        self._stage = stage
        if not self._exchanges:  # else the deadline is that of the answer before
            self.deadline = self._reception.now() + timeout_s

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _pause(self) -> None:
        if self._transport is not None and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._transport is not None and self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()

    def _finish(self) -> None:
        """
        Close so that the last answer arrives.

        A socket that is closed while bytes of a refused request are still coming is reset, and the sender loses the
        answer with it; so our side ends first and the rest is read over for a while.
        """
        if self._stage is _Stage.IDLE or self._has_eof or self._transport is None:
            self._close()
            return
        self._end()
        self._transport.write_eof()
        self._resume()

    def _close(self) -> None:
        self._end()
        if self._transport is not None:
            self._transport.close()

    def _end(self) -> None:
        self._closing = self._is_over = True
        self._exchanges.clear()
        self._message.drop_body()
        self.deadline = self._reception.now() + self._reception.settings.linger_s

    def _discard(self, size: int) -> None:
        self._discarded_bytes += size
        if self._discarded_bytes > 2 * self._reception.settings.max_body_bytes:
            self.abort("refused")

    def _count(self, signal: str, outcome: Outcome) -> None:
        labels = {"transport": "http", "signal": signal, "outcome": outcome}
        self._reception.count("monitorx_receiver_requests_total", labels, 1.0)

    def _reject(self, reason: str) -> None:
        labels = {"transport": "http", "reason": reason}
        self._reception.count("monitorx_receiver_connections_rejected_total", labels, 1.0)
