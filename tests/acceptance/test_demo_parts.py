"""The parts of the demo with real sockets: the stand-in server with the real client, both readers, the programs."""

import json
import smtplib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import astuple
from email.message import EmailMessage
from pathlib import Path

import numpy as np
import pytest

from monitorx.backend.demo.cast import Ports, ProgramEnded, Stage, examples_folder
from monitorx.backend.demo.inbox import Inbox, listening
from monitorx.backend.demo.story import Delivery
from monitorx.backend.demo.upstream import line

ANSWER = "I am a stand-in, not a language model"


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = Ports.free().chat
    with Stage(tmp_path_factory.mktemp("logs")) as stage:
        stage.start("chat_server", [sys.executable, str(examples_folder() / "chat_server.py"), "--port", str(port)])
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/v1/models", stage)
        yield url


def wait_for(url: str, stage: Stage) -> None:
    for _ in range(200):
        stage.check()
        try:
            urllib.request.urlopen(url).close()
        except urllib.error.URLError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"{url} does not answer: {stage.programs[0].tail()}")


def switch(url: str, fault: str) -> None:
    urllib.request.urlopen(urllib.request.Request(f"{url}/_fault/{fault}", method="POST")).close()


@pytest.mark.needs("openai")
def test_the_stand_in_answers_the_real_client_and_says_what_it_is(stand_in: str) -> None:
    from openai import OpenAI

    client = OpenAI(base_url=f"{stand_in}/v1", api_key="none")
    question = [{"role": "user", "content": "three small words"}]

    whole = client.chat.completions.create(model="standin-chat", messages=question)  # type: ignore[arg-type]  # plain dictionaries are messages
    chunks = list(
        client.chat.completions.create(
            model="standin-chat",
            messages=question,  # type: ignore[arg-type]  # as above
            stream=True,
            stream_options={"include_usage": True},
        )
    )

    assert (whole.choices[0].message.content or "").startswith(ANSWER)
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.total_tokens) == (3, 3 + whole.usage.completion_tokens)
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert streamed.replace(" ", "") == (whole.choices[0].message.content or "").replace(" ", "")
    assert (chunks[-1].choices, chunks[-1].usage) == ([], whole.usage)
    assert [model.id for model in client.models.list()] == ["standin-chat"]


@pytest.mark.needs("openai")
def test_the_stand_in_fails_as_openai_does(stand_in: str) -> None:
    import openai

    client = openai.OpenAI(base_url=f"{stand_in}/v1", api_key="none", max_retries=0)
    with pytest.raises(openai.NotFoundError, match="`none` does not exist") as unknown:
        client.chat.completions.create(model="none", messages=[])
    assert unknown.value.code == "model_not_found"

    switch(stand_in, "errors")
    failed = 0
    for _ in range(6):
        try:
            client.chat.completions.create(model="standin-chat", messages=[])
        except openai.InternalServerError:
            failed += 1
    switch(stand_in, "none")

    assert failed == 4


def test_an_unknown_fault_is_refused(stand_in: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        switch(stand_in, "fire")

    assert (refused.value.code, json.load(refused.value)["error"]["message"]) == (
        404,
        "Unknown fault 'fire': one of none, slow, errors",
    )


@pytest.mark.needs("aiosmtpd")
def test_both_readers_take_alerts_in() -> None:
    inbox, ports = Inbox(), Ports.free()
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "[RESOLVED] ModelFails", "a@example.com", "b@example.com"
    mail.set_content("[resolved]\n  alertname: ModelFails\n  model: chat\n")
    payload = {"alerts": [{"status": "firing", "labels": {"alertname": "ModelIsSlow", "model": "chat"}}]}

    with listening(inbox, ports.smtp) as url:
        urllib.request.urlopen(urllib.request.Request(url, json.dumps(payload).encode(), method="POST")).close()
        with smtplib.SMTP("127.0.0.1", ports.smtp) as smtp:
            smtp.send_message(mail)
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(urllib.request.Request(url, b"{}", method="PUT"))

    assert inbox.snapshot() == (
        Delivery("webhook", "firing", "ModelIsSlow", "chat"),
        Delivery("email", "resolved", "ModelFails", "chat"),
    )


@pytest.mark.needs("sklearn")
def test_the_tabular_script_answers_what_it_is_fed() -> None:
    command = [sys.executable, str(examples_folder() / "tabular.py"), "--feed", "-"]
    fed = line(np.ones((2, 30))) + line(np.full((3, 30), 2.0))

    done = subprocess.run(command, input=fed, capture_output=True, check=True)

    assert done.stdout.decode().startswith("2 calls, 5 rows, ")


def test_ports_differ() -> None:
    assert len(set(astuple(Ports.free()))) == 5


def test_a_program_that_ends_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with Stage(tmp_path) as stage:
        program = stage.start("short", [sys.executable, "-c", "print('no room'); raise SystemExit(3)"])
        program.process.wait()
        with pytest.raises(ProgramEnded, match="short ended with exit code 3") as ended:
            stage.check()

    assert ended.value.program.tail() == "no room"


def test_closing_the_stage_ends_every_program(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(60)"
    with Stage(tmp_path, stop_wait_s=0.5) as stage:
        listens = stage.start("listens", [sys.executable, "-c", "import time; time.sleep(60)"])
        ignores = stage.start("ignores", [sys.executable, "-c", deaf])
        while "up" not in ignores.tail():
            time.sleep(0.05)

    assert (listens.process.poll(), ignores.process.poll()) == (-15, -9)
