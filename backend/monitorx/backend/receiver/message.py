"""One HTTP request while it comes in: its head within bounds, its body within a budget shared by all connections."""

from http import HTTPStatus

from monitorx.backend.receiver.answer import Code, Outcome, Refusal, overloaded, too_large, too_slow
from monitorx.backend.receiver.bound import Budget, HttpSettings

_RETRY_AFTER_S = 2.0  # a body that waits in memory is gone within a few group commits
_OF_THE_CONNECTION = frozenset({b"connection", b"upgrade", b"http2-settings"})


class TooMuch(Exception):
    """A bound was reached; *refusal* is what the sender hears."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Message:
    """
    The parts of a request as the parser finds them.

    Args:
        budget: Shared by all connections.
        settings: The bounds of one request.
    """

    __slots__ = (
        "_body",
        "_budget",
        "_head_bytes",
        "_header_count",
        "_seen_bytes",
        "_settings",
        "headers",
        "size",
        "target",
    )

    def __init__(self, budget: Budget, settings: HttpSettings) -> None:
        self._budget = budget
        self._settings = settings
        self.size = 0
        self._body: list[bytes] = []
        self.begin()

    def begin(self) -> None:
        """Forget the request before."""
        self.drop_body()
        self.target = b""
        self.headers: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._header_count = 0
        self._seen_bytes = 0

    def add_target(self, piece: bytes) -> None:
        """Raises TooMuch where the target is too long."""
        self.target += piece
        if len(self.target) > self._settings.max_target_bytes:
            raise TooMuch(_head_too_large(HTTPStatus.REQUEST_URI_TOO_LONG, "the request line is too long"))

    def add_header(self, name: bytes, value: bytes, *, trailer: bool) -> None:
        """Raises TooMuch where there are too many, or too long ones. A trailer counts and is not kept."""
        self._head_bytes += len(name) + len(value)
        self._header_count += 1
        if self._head_bytes > self._settings.max_head_bytes or self._header_count > self._settings.max_headers:
            raise TooMuch(head_too_large())
        if not trailer:
            self.headers[name.lower()] = value

    def add_body(self, piece: bytes) -> None:
        """Raises TooMuch where the body is too large, or there is no room for it now."""
        size = len(piece)
        if self.size + size > self._settings.max_body_bytes:
            raise TooMuch(too_large(f"the body has more than {self._settings.max_body_bytes} bytes"))
        if not self._budget.take(size):
            raise TooMuch(_no_room())
        self.size += size
        self._body.append(piece)

    def overdue(self) -> Refusal | None:
        """
        Asked each time that `body_timeout_s` has passed: why the body may not go on, None where it may.

        Whoever sends slowly holds what has come for long. So those who do may together hold half of the memory for
        bodies and no more: once that is held, by whomever, the slow ones go.
        """
        came, self._seen_bytes = self.size - self._seen_bytes, self.size
        if came < self._settings.min_body_bytes_s * self._settings.body_timeout_s:
            return too_slow("body")
        return _no_room() if self._budget.is_scarce() else None

    def take_body(self) -> bytes:
        """The whole body; its bytes stay in the budget until the taker gives them back."""
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body = []
        self.size = 0
        return body

    def drop_body(self) -> None:
        """Let go of what came so far."""
        if self.size:
            self._budget.give(self.size)
            self._body = []
            self.size = 0

    def body_expected(self) -> int | None:
        """How many bytes of body the head announces; None where it does not say how many."""
        if b"transfer-encoding" in self.headers:
            return None
        return int(self.headers.get(b"content-length", b"0"))

    def expects_continue(self) -> bool:
        """Whether the sender waits for a word before it sends the body."""
        return self.headers.get(b"expect", b"").strip().lower() == b"100-continue"

    def head_without_upgrade(self, method: bytes) -> bytes:
        """The same head from a sender that does not ask to change the protocol."""
        kept = [b"%b: %b\r\n" % item for item in self.headers.items() if item[0] not in _OF_THE_CONNECTION]
        if b"close" in self.headers.get(b"connection", b"").lower():
            kept.append(b"connection: close\r\n")
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, self.target, b"".join(kept))


def head_too_large() -> Refusal:
    """431: the headers go over a bound."""
    return _head_too_large(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too many or too long")


def _no_room() -> Refusal:
    return overloaded("too many request bodies are held in memory", _RETRY_AFTER_S)


def _head_too_large(status: HTTPStatus, message: str) -> Refusal:
    return Refusal(Outcome.TOO_LARGE, status, Code.RESOURCE_EXHAUSTED, message)
