"""Why a request had no good answer, in words for an error or a log: short, and without a secret."""

import os
import socket
import ssl

import httpx

MOST_CHARACTERS = 200  # a proxy may answer with a page


def of(error: httpx.RequestError) -> str:
    """
    What kept a request from its answer.

    >>> of(httpx.ConnectError("connection refused"))
    'ConnectError: connection refused'
    """
    name = type(error).__name__
    if isinstance(error, httpx.LocalProtocolError):  # its words quote the header, which may hold a key
        return f"{name}: the request cannot be written; is one of the headers malformed?"
    return _cut(f"{name}: {words}" if (words := _root(error) or str(error)) else name)


def of_answer(status: int, words: str) -> str:
    """What a server answered that has trouble."""
    return _cut(f"{status}: {words}")


def shown(url: httpx.URL) -> str:
    """*url* without the user and the password, and without the parameters of the question."""
    return str(url.copy_with(userinfo=b"", query=None))


def _root(error: BaseException) -> str:
    """The words of the system's error below *error*, which httpx does not pass on; empty where there is none."""
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, BaseExceptionGroup):  # one for each address of a name: the first stands for all
            below = below.exceptions[0]
        if isinstance(below, OSError) and below.errno:
            return _of_system(below)
        below = below.__cause__ or _translated(below)
    return ""


def _translated(error: BaseException) -> BaseException | None:
    """What httpcore made *error* of. The context of others may be an error that the application was handling."""
    return error.__context__ if type(error).__module__.startswith("httpcore") else None


def _of_system(error: OSError) -> str:
    if isinstance(error, socket.gaierror | ssl.SSLError):  # they count otherwise than errno does
        return str(error.strerror)
    return os.strerror(error.errno or 0)


def _cut(words: str) -> str:
    return words if len(words) <= MOST_CHARACTERS else f"{words[:MOST_CHARACTERS]}…"
