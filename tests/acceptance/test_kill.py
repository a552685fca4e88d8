"""Twenty times kill -9 under load, and a ledger of what was acknowledged."""

import http.client
import os
import random
import threading
import time
from pathlib import Path

from tests.support.otlp import spans
from tests.support.server import Server, until

KILLS = 20
SENDERS = 4
SPANS_A_REQUEST = 20


class Sender(threading.Thread):
    """Sends requests of fresh span ids, each until it is acknowledged: as a real exporter does, with the same bytes."""

    def __init__(self, server: Server, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.server, self.stop = server, stop
        self.acknowledged: set[bytes] = set()
        self.sent_again = 0

    def run(self) -> None:
        while not self.stop.is_set():
            ids = [os.urandom(8) for _ in range(SPANS_A_REQUEST)]
            body = spans(ids).SerializeToString()
            while not self.is_taken(body):
                self.sent_again += 1
                time.sleep(0.05)
            self.acknowledged.update(ids)

    def is_taken(self, body: bytes) -> bool:
        try:
            return self.server.post("traces", body) == 200
        except (OSError, http.client.HTTPException):
            return False


def test_nothing_acknowledged_is_lost_or_counted_twice(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    stop = threading.Event()
    senders = [Sender(server, stop) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    rng = random.Random(1)

    for _ in range(KILLS):
        time.sleep(rng.uniform(0.1, 0.9))
        server.kill()
        server.start()
    stop.set()
    for sender in senders:
        sender.join(30)
    expected = {each.hex() for sender in senders for each in sender.acknowledged}
    rows = until(lambda: (got := stored(server)) and len(got) >= len(expected) and got)
    in_panes = panes(server)
    server.stop()

    assert sum(sender.sent_again for sender in senders) > 0, "no request met a dead server: nothing was tested"
    assert len(rows) == len(set(rows)), "counted twice in rows"
    assert set(rows) == expected
    assert in_panes == len(expected)


def stored(server: Server) -> list[str]:
    """Every stored span id, page by page."""
    found: list[str] = []
    path = "/api/v1/inferences?start=-1h&limit=1000"
    cursor = ""
    while True:
        page = server.get(path + cursor)
        found += [each["span_id"] for each in page["inferences"]]
        if not page.get("next_cursor"):
            return found
        cursor = f"&cursor={page['next_cursor']}"


def panes(server: Server) -> float:
    """Requests in all panes of the last hour."""
    return sum(float(each["requests"]) for each in server.get("/api/v1/aggregates?start=-1h")["aggregates"])
