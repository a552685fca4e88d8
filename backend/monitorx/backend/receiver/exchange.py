"""A request over HTTP and its answer, as they wait in line on one connection."""

from dataclasses import dataclass

from monitorx.backend.receiver.admission import Encoding
from monitorx.backend.receiver.response import Response


@dataclass(slots=True, eq=False)
class Exchange:
    """A request that was read, and its answer once there is one."""

    signal: str
    encoding: Encoding | None
    origin: bytes | None
    keep_alive: bool
    size: int = 0
    answer: Response | None = None
