"""
A chat program that asks small questions through the `openai` client, whole and streamed in turn.

    pip install openai
    python docs/examples/chat_server.py --port 8081 &      # or any server that speaks the OpenAI protocol
    OPENAI_BASE_URL=http://127.0.0.1:8081/v1 OPENAI_API_KEY=none python docs/examples/chat.py --seconds 30 --rate 5

With no OPENAI_BASE_URL the client asks OpenAI itself; then OPENAI_API_KEY must be a real key and --model a real model.
"""

import argparse
import itertools
import time

from openai import OpenAI, OpenAIError

QUESTIONS = (
    "What does a histogram show?",
    "Say in one sentence what drift is.",
    "Why are two replicas better than one?",
)


def ask(client: OpenAI, model: str, question: str) -> str:
    """The answer to *question*, in one piece."""
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": question}])
    return answer.choices[0].message.content or ""


def ask_streamed(client: OpenAI, model: str, question: str) -> str:
    """The answer to *question*, put together from its stream."""
    stream = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": question}],
        stream=True,
        stream_options={"include_usage": True},
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def main() -> None:
    parser = argparse.ArgumentParser(description="Ask small questions through the openai client.")
    parser.add_argument("--seconds", type=float, default=30, help="how long to go on")
    parser.add_argument("--rate", type=float, default=5, help="questions a second")
    parser.add_argument("--model", default="standin-chat")
    arguments = parser.parse_args()

    client = OpenAI(timeout=30)
    asked = failed = 0
    ends = time.monotonic() + arguments.seconds
    for question, way in zip(itertools.cycle(QUESTIONS), itertools.cycle((ask, ask_streamed)), strict=False):
        started = time.monotonic()
        if started >= ends:
            break
        try:
            way(client, arguments.model, question)
        except OpenAIError as error:
            failed += 1
            print(f"question {asked + 1} failed: {error}", flush=True)
        asked += 1
        time.sleep(max(0.0, 1 / arguments.rate - (time.monotonic() - started)))
    print(f"{asked} questions asked, {failed} failed")


if __name__ == "__main__":
    main()
