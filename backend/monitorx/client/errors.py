"""
What the client raises, apart from the ValueErrors of what it is given.

    ClientError
    ├── Refused       the server will not have this request, now or later: status, kind and words of its problem
    ├── Unavailable   no good answer after all attempts: the network, an overload, trouble of the server
    │   └── CircuitOpen   not even tried: the server failed several times in a row just now
    └── NotOpen       asked outside of `async with`
"""


class ClientError(Exception):
    """Anything that keeps the client from its answer."""


class Refused(ClientError):
    """
    The server said no.

    Attributes:
        status: HTTP status.
        kind: Kind of problem, a URN; "" where the answer is not one of ours.
        detail: The server's words.
    """

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.kind = kind
        self.detail = detail


class Unavailable(ClientError):
    """There was no good answer after all attempts."""


class CircuitOpen(Unavailable):
    """The server failed several times in a row and is left alone for a while."""


class NotOpen(ClientError):
    """The client is used outside of `async with`."""
