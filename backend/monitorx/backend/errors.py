"""
What can go wrong in the server, where a caller acts on it.

    MonitorXError
    ├── ConfigError      what an operator wrote cannot be used: key, value, what would be right; exit code 1
    ├── Malformed        a sender's bytes are not OTLP: answered 400 / INVALID_ARGUMENT, never retried
    ├── TooLarge         over a limit: answered 413 / RESOURCE_EXHAUSTED without RetryInfo
    ├── Overloaded       no room now: answered 429 or 503 with Retry-After / UNAVAILABLE with RetryInfo
    └── StorageError     a disk or a database does not answer: retried, said in the health answer
"""


class MonitorXError(Exception):
    """Anything the server says no to, in words for the person who caused it."""


class ConfigError(MonitorXError):
    """What an operator wrote cannot be used."""


class Malformed(MonitorXError):
    """A sender's bytes cannot be read."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class TooLarge(MonitorXError):
    """A request is over a limit."""


class Overloaded(MonitorXError):
    """There is no room for a request now."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StorageError(MonitorXError):
    """A disk or a database does not answer."""
