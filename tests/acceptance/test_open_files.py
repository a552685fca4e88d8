"""A server with few files, and a sender that takes as many as it gets."""

import socket
from contextlib import ExitStack
from pathlib import Path

from tests.support.server import Server

FILES = 256


class Cramped(Server):
    """May have `FILES` open files."""

    def command(self) -> list[str]:
        return ["sh", "-c", f'ulimit -n {FILES}; exec "$@"', "sh", *super().command()]


def test_idle_connections_to_grpc_leave_the_other_listeners_alone(tmp_path: Path) -> None:
    with Cramped(tmp_path) as server, ExitStack() as idle:
        host, port = server.grpc.split(":")
        address = host, int(port)
        connections = [idle.enter_context(socket.create_connection(address, 30)) for _ in range(FILES + 50)]
        over = connections[FILES // 8 :]
        assert [each.recv(1_000) for each in over] == [b""] * len(over)  # each of them was closed

        assert server.get("/api/v1/health")["status"] == "ok"
        assert server.post("traces", b"") == 200
