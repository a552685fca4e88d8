"""A line between two programs that can lose answers: what was sent has arrived, and the sender never hears of it."""

import contextlib
import socket
import socketserver
import threading
from typing import Self


class Line:
    """
    Forwards TCP to *target*.

    Attributes:
        address: `127.0.0.1:PORT` to send to.
        loses_answers: While set, whatever comes back ends the connection instead of reaching the sender.
        lost: How many connections ended so.
    """

    def __init__(self, target: str) -> None:
        self.loses_answers = threading.Event()
        self.lost = 0
        line = self

        class Connection(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                line._carry(self.request, target)

        class Listener(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self._listener = Listener(("127.0.0.1", 0), Connection)
        self.address = f"127.0.0.1:{self._listener.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown()
        self._listener.server_close()

    def _carry(self, near: socket.socket, target: str) -> None:
        host, port = target.split(":")
        try:
            far = socket.create_connection((host, int(port)), timeout=5)
        except OSError:
            return
        far.settimeout(None)
        forth = threading.Thread(target=_pump, args=(near, far), daemon=True)
        forth.start()
        try:
            while answer := far.recv(65536):
                if self.loses_answers.is_set():
                    self.lost += 1
                    break
                near.sendall(answer)
        except OSError:
            pass  # either end was killed: that is what the line is for
        _end(near)
        _end(far)
        forth.join(5)
        far.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass  # the other direction ends the connection
    _end(target)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):  # ended already
        end.shutdown(socket.SHUT_RDWR)
