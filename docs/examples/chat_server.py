"""
A stand-in for an OpenAI server: the protocol is real, the model is not.

It speaks enough of the protocol for the `openai` client: chat completions (whole and streamed, with the usage chunk),
the list of models, and errors in OpenAI's shape. Its answers say that they come from a stand-in. No network, no key.

    python docs/examples/chat_server.py --port 8081
    OPENAI_BASE_URL=http://127.0.0.1:8081/v1 OPENAI_API_KEY=none python docs/examples/chat.py --seconds 10

To see what a fault looks like from outside, switch one on while it runs, and off again:

    curl -X POST http://127.0.0.1:8081/_fault/slow
    curl -X POST http://127.0.0.1:8081/_fault/errors
    curl -X POST http://127.0.0.1:8081/_fault/none
"""

import argparse
import itertools
import json
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "standin-chat"
ANSWER = (
    "I am a stand-in, not a language model: a small local program that speaks the OpenAI protocol. "
    "Whatever you ask, this is my answer."
)
FAULTS = ("none", "slow", "errors")
FIRST_TOKEN_S = {"none": 0.02, "slow": 0.6, "errors": 0.02}
NEXT_TOKEN_S = {"none": 0.001, "slow": 0.01, "errors": 0.001}


class StandIn(ThreadingHTTPServer):
    """The server and the fault that is switched on."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int]) -> None:
        self.fault = "none"
        self.numbers = itertools.count(1)
        super().__init__(address, Conversation)


class Conversation(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: StandIn

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "stand-in"}
            self.answer(200, {"object": "list", "data": [model]})
        else:
            self.refuse(404, "invalid_request_error", f"Unknown path: {self.path}", "unknown_url")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/_fault/"):
            self.switch_fault(self.path.removeprefix("/_fault/"))
        elif self.path == "/v1/chat/completions":
            self.complete(body)
        else:
            self.refuse(404, "invalid_request_error", f"Unknown path: {self.path}", "unknown_url")

    def switch_fault(self, fault: str) -> None:
        if fault not in FAULTS:
            self.refuse(404, "invalid_request_error", f"Unknown fault {fault!r}: one of {', '.join(FAULTS)}", None)
            return
        self.server.fault = fault
        self.answer(200, {"fault": fault})

    def complete(self, body: bytes) -> None:
        try:
            request = json.loads(body)
            model, messages = request["model"], request["messages"]
            question = " ".join(str(message.get("content") or "") for message in messages)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.refuse(400, "invalid_request_error", "The body must be JSON with 'model' and 'messages'.", None)
            return
        if model != MODEL:
            message = f"The model `{model}` does not exist: this stand-in has only `{MODEL}`."
            self.refuse(404, "invalid_request_error", message, "model_not_found")
            return
        number = next(self.server.numbers)
        if self.server.fault == "errors" and number % 3:
            self.refuse(503, "server_error", "The stand-in fails because its fault 'errors' is on.", None)
            return
        usage = count_tokens(question)
        if request.get("stream"):
            with_usage = bool((request.get("stream_options") or {}).get("include_usage"))
            self.stream(chunks(number, usage if with_usage else None))
        else:
            time.sleep(FIRST_TOKEN_S[self.server.fault])
            self.answer(200, completion(number, usage))

    def stream(self, events: Iterator[dict[str, object]]) -> None:
        fault = self.server.fault
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        time.sleep(FIRST_TOKEN_S[fault])
        try:
            for event in events:
                self.write_chunk(f"data: {json.dumps(event)}\n\n".encode())
                time.sleep(NEXT_TOKEN_S[fault])
            self.write_chunk(b"data: [DONE]\n\n")
            self.write_chunk(b"")
        except ConnectionError:  # the client has heard enough
            self.close_connection = True

    def write_chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def answer(self, status: int, content: dict[str, object], **headers: str) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status: int, kind: str, message: str, code: str | None) -> None:
        error = {"message": message, "type": kind, "param": None, "code": code}
        self.answer(status, {"error": error}, x_should_retry="false")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gave it
        """Say nothing for each request: the server runs beside other programs on one terminal."""


def completion(number: int, usage: dict[str, int]) -> dict[str, object]:
    choice = {"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}
    return {**head(number, "chat.completion"), "choices": [choice], "usage": usage}


def chunks(number: int, usage: dict[str, int] | None) -> Iterator[dict[str, object]]:
    """The events of a streamed answer; with *usage* a last one that carries it and no choice."""
    opening = head(number, "chat.completion.chunk")
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in ANSWER.split(" ")]
    for delta in deltas:
        yield {**opening, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**opening, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    if usage is not None:
        yield {**opening, "choices": [], "usage": usage}


def head(number: int, kind: str) -> dict[str, object]:
    return {"id": f"chatcmpl-standin-{number}", "object": kind, "created": int(time.time()), "model": MODEL}


def count_tokens(question: str) -> dict[str, int]:
    """Words stand for tokens here."""
    asked, answered = len(question.split()), len(ANSWER.split())
    return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for an OpenAI server: real protocol, no model.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8081)
    arguments = parser.parse_args()
    server = StandIn((arguments.host, arguments.port))
    host, port = server.server_address[:2]
    print(f"stand-in for an OpenAI server (no real model behind it): http://{host!s}:{port}/v1", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    try:
        server.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


if __name__ == "__main__":
    main()
