"""Why there was no answer, in words: the system's own where there are some, and never an error of the application."""

import errno
import socket
import ssl

import httpcore
import httpx
import pytest

from monitorx.client import cause


def refused() -> Exception:
    return OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)")


@pytest.mark.parametrize(
    ("below", "words"),
    [
        pytest.param(refused(), "ConnectError: Connection refused", id="refused"),
        pytest.param(
            ExceptionGroup("two addresses", [refused(), refused()]), "ConnectError: Connection refused", id="twice"
        ),
        pytest.param(
            socket.gaierror(-2, "Name or service not known"),
            "ConnectError: Name or service not known",
            id="no such host",
        ),
        pytest.param(ssl.SSLError(1, "[SSL] wrong version"), "ConnectError: [SSL] wrong version", id="no TLS"),
        pytest.param(OSError("of no number"), "ConnectError: All connection attempts failed", id="unknown"),
    ],
)
def test_the_words_are_those_of_the_system(below: Exception, words: str) -> None:
    assert cause.of(raised(below)) == words


def test_an_error_that_the_application_was_handling_is_none_of_ours() -> None:
    error = httpx.ReadTimeout("")
    error.__context__ = FileNotFoundError(errno.ENOENT, "No such file or directory")

    assert cause.of(error) == "ReadTimeout"


def raised(below: Exception) -> httpx.ConnectError:
    """As httpx raises it over httpcore over anyio over the system."""
    tried = OSError("All connection attempts failed")
    tried.__cause__ = below
    translated = httpcore.ConnectError(tried)
    translated.__context__ = tried
    error = httpx.ConnectError("All connection attempts failed")
    error.__cause__ = translated
    return error
