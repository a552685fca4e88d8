"""How much an OTLP/HTTP receiver takes, and how long it waits."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """
    Bounds and deadlines of OTLP/HTTP.

    Attributes:
        max_body_bytes: Largest body as it comes over the wire.
        max_buffered_bytes: Bodies held by all connections together, answered ones excepted.
        max_connections: Open at once; more are closed.
        max_target_bytes: Of a request line.
        max_head_bytes: Of the headers of one request.
        max_headers: Of one request.
        head_timeout_s: From the first byte of a head to its end.
        body_timeout_s: From there to the end of the body. One that flows then gets as much again, each time.
        min_body_bytes_s: The least rate of a body that flows, over each such time.
        answer_timeout_s: Until the ingest step has answered, or the sender has read the answer.
        idle_timeout_s: Between requests.
        linger_s: How long the rest of a refused request is read over, so that the sender sees the answer.
        cors_origins: Browser origins that may post; "*" for all.
    """

    max_body_bytes: int = 64 << 20
    max_buffered_bytes: int = 256 << 20
    max_connections: int = 4096
    max_target_bytes: int = 8 << 10
    max_head_bytes: int = 64 << 10
    max_headers: int = 128
    head_timeout_s: float = 20.0
    body_timeout_s: float = 60.0
    min_body_bytes_s: int = 64 << 10
    answer_timeout_s: float = 30.0
    idle_timeout_s: float = 90.0
    linger_s: float = 5.0
    cors_origins: frozenset[str] = frozenset()


class Budget:
    """Bytes of bodies held by all connections together. Used from one thread only."""

    __slots__ = ("held_bytes", "limit_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0

    def take(self, size: int) -> bool:
        """Whether there is room for *size* more bytes, which are then held."""
        if self.held_bytes + size > self.limit_bytes:
            return False
        self.held_bytes += size
        return True

    def is_scarce(self) -> bool:
        """Whether more than half is held. Who is slow has to leave the other half to those who are not."""
        return 2 * self.held_bytes > self.limit_bytes

    def give(self, size: int) -> None:
        """Let go of *size* bytes."""
        self.held_bytes -= size
