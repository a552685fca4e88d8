"""Channels against real servers: HTTP from the standard library, SMTP with STARTTLS."""

import asyncio
import json
import logging
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from monitorx.alerting.alert import Alert, Condition, Observation, Policy, Severity, State
from monitorx.alerting.channel.channel import Delivery, Outcome
from monitorx.alerting.channel.email import EmailChannel
from monitorx.alerting.channel.email_config import EmailConfig
from monitorx.alerting.channel.webhook import WebhookChannel
from monitorx.alerting.channel.webhook_config import WebhookConfig
from monitorx.alerting.config import AlertingConfig, Integration
from monitorx.alerting.document import Problems, parse
from monitorx.alerting.engine import Alerting
from monitorx.alerting.notification import Notification
from monitorx.alerting.route import Route
from monitorx.alerting.secret import Secret
from monitorx.alerting.store import SQLiteStore
from monitorx.alerting.tls import TLS

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
LABELS = {"alertname": "Slow", "model": "fraud", "severity": "critical"}
ALERT = Alert(LABELS, {"summary": "slow"}, State.FIRING, NOON, NOON, None, Severity.CRITICAL, 2.0)
NOTE = Notification("n1", "ops", "{}:{}", {"alertname": "Slow"}, (ALERT,), NOON)


@dataclass
class Web:
    """A real HTTP server that answers as told and keeps what it was sent."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    hang: threading.Event = field(default_factory=threading.Event)
    is_hanging: bool = False
    seen: list[tuple[str, str, dict[str, str], dict[str, object], float]] = field(default_factory=list)


@contextmanager
def serving() -> Iterator[Web]:
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            web.seen.append((self.command, self.path, headers, body, time.monotonic()))
            if web.is_hanging:
                web.hang.wait(20)
            moved = self.path != "/moved" and web.status in (301, 307)
            self.send_response(web.status if moved or web.status not in (301, 307) else 200)
            for name, value in web.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(web.body)

        do_POST = do_PUT = answer

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield web
    finally:
        web.hang.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as one:
        yield one


def send(config: WebhookConfig | EmailConfig, note: Notification = NOTE) -> Outcome:
    channel = WebhookChannel(config) if isinstance(config, WebhookConfig) else EmailChannel(config)

    async def main() -> Outcome:
        try:
            return await channel.send(note)
        finally:
            await channel.aclose()

    return asyncio.run(main())


def test_a_webhook_arrives_whole(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    url = Secret(f"{web.url}/hook/hunter2")
    config = WebhookConfig(url, method="PUT", headers={"X-Key": Secret("abc")}, bearer_token=Secret("token"))

    found = send(config)

    [(method, path, headers, body, _)] = web.seen
    assert found == Outcome(Delivery.DELIVERED, "HTTP 200")
    assert (method, path) == ("PUT", "/hook/hunter2")
    assert {name: headers[name] for name in ("webhook-id", "webhook-timestamp", "x-key", "authorization")} == {
        "webhook-id": "n1", "webhook-timestamp": "1777896000", "x-key": "abc", "authorization": "Bearer token",
    }  # fmt: skip
    assert headers["content-type"] == "application/json"
    assert (body["version"], body["receiver"], body["status"]) == ("4", "ops", "firing")
    assert "hunter2" not in caplog.text


def test_a_server_that_hangs_is_left_in_time(web: Web) -> None:
    web.is_hanging = True

    found = send(WebhookConfig(Secret(web.url), timeout=timedelta(seconds=0.2)))

    assert found == Outcome(Delivery.RETRY, "no answer within 0.2s")


def test_what_an_answer_gives_away_is_blotted_out_and_short(web: Web) -> None:
    web.status, web.body = 400, b"your key hunter2 is wrong\r\n" + b"xxx " * 100_000

    found = send(WebhookConfig(Secret(web.url), bearer_token=Secret("hunter2")))

    assert found.delivery is Delivery.FAILED
    assert found.words.startswith("HTTP 400: your key <secret> is wrong  xxx")
    assert len(found.words) <= 300


SLACK = "/services/T0001234/B0005678/s3cr3t%2FTOKEN?key=hunter22&v=1"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("Cannot POST /services/T0001234/B0005678/s3cr3t%2FTOKEN", id="the path"),
        pytest.param("Cannot POST /services/T0001234/B0005678/s3cr3t/TOKEN", id="the path, decoded"),
        pytest.param("Cannot POST %2Fservices%2FT0001234%2FB0005678%2Fs3cr3t%2fTOKEN", id="the path, quoted"),
        pytest.param(r"{\"path\": \"\/services\/T0001234\/B0005678\/s3cr3t%2FTOKEN\"}", id="the path in JSON"),
        pytest.param("no webhook S3CR3T%2FTOKEN of T0001234", id="pieces of the path, in other letters"),
        pytest.param("key=hunter22&v=1 is unknown", id="the query"),
        pytest.param("the key hunter22 is unknown", id="a value of the query"),
        pytest.param("who is alice:wonder land?", id="the user, decoded"),
        pytest.param("who is alice:wonder%20land?", id="the user"),
        pytest.param("wrong password 'wonder land'", id="the password"),
        pytest.param("Authorization: Basic YWxpY2U6d29uZGVyIGxhbmQ=", id="the header that clients make of the user"),
        pytest.param("token tok3n.abc is expired", id="the token of a header"),
        pytest.param("Basic Ym9iOmJ1aWxkZXI= is wrong", id="the credentials of a header"),
        pytest.param("bob:builder is unknown", id="what the credentials stand for"),
        pytest.param("bearer hunter2 is unknown", id="the bearer token"),
        pytest.param("x " * 2040 + "a longer word: s3cr3t%2FTOKEN", id="where the answer is cut"),
    ],
)
def test_no_part_of_a_secret_is_in_the_words(web: Web, body: str) -> None:
    web.status, web.body = 404, body.encode()
    url = web.url.replace("http://", "http://alice:wonder%20land@").rstrip("/") + SLACK
    headers = {"X-Auth": Secret("Bearer tok3n.abc"), "X-Other": Secret("Basic Ym9iOmJ1aWxkZXI=")}

    found = send(WebhookConfig(Secret(url), headers=headers, bearer_token=Secret("hunter2")))

    assert found.words.startswith("HTTP 404: ")
    told = found.words.lower()
    hidden = (
        "T0001234",
        "B0005678",
        "s3cr3t",
        "TOKEN%",
        "/TOKEN",
        "hunter",
        "wonder",
        "YWxpY2U",
        "tok3n",
        "Ym9i",
        "builder",
    )
    assert [part for part in hidden if part.lower() in told] == []


def test_nobody_listening_is_tried_again(web: Web) -> None:
    found = send(WebhookConfig(Secret("http://127.0.0.1:1/hunter2")))

    assert found.delivery is Delivery.RETRY
    assert "hunter2" not in found.words


def test_a_redirect_is_followed_on_the_same_server_only(web: Web) -> None:
    web.status, web.headers = 307, {"location": "/moved", "content-length": "0"}
    near = send(WebhookConfig(Secret(web.url)))
    with serving() as other:
        web.headers = {"location": f"{other.url}/moved", "content-length": "0"}
        far = send(WebhookConfig(Secret(web.url), bearer_token=Secret("token")))
        seen_elsewhere = list(other.seen)

    assert near.delivery is Delivery.DELIVERED
    assert [path for _, path, *_ in web.seen] == ["/", "/moved", "/"]
    assert (far.delivery, seen_elsewhere) == (Delivery.FAILED, [])


def test_a_secret_that_is_no_header_fails_without_being_said(web: Web) -> None:
    found = send(WebhookConfig(Secret(web.url), bearer_token=Secret("hunter2\r\nX-Evil: 1")))

    assert found == Outcome(Delivery.FAILED, "a header's value has characters that HTTP does not carry")
    assert web.seen == []


def breach(model: str = "fraud", condition: Condition = Condition.BREACHED) -> Observation:
    policy = Policy("Slow", labels={"severity": "critical"}, annotations={"summary": "{{ $labels.model }} is slow"})
    return Observation(policy, {"model": model}, condition, 2.0, 1.0)


def engine(path: Path, configs: dict[str, WebhookConfig], counted: list[str] | None = None) -> Alerting:
    route = Route("{}", "ops", group_by=("...",), group_wait=timedelta(0), group_interval=timedelta(seconds=0.2))
    integrations = tuple(
        Integration(name, True, lambda config=config: WebhookChannel(config))  # type: ignore[misc]  # bound now
        for name, config in configs.items()
    )
    settings = AlertingConfig(route, {"ops": integrations})
    count = [] if counted is None else counted
    return Alerting(
        settings, SQLiteStore(path), settings.channels(), clock=time.time_ns,
        count=lambda name, labels, amount: count.append(labels.get("outcome", name)),
    )  # fmt: skip


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not claim():
            await asyncio.sleep(0.01)


def test_a_breach_is_at_the_webhook_within_a_second_beside_a_channel_that_hangs(web: Web, tmp_path: Path) -> None:
    with serving() as stuck:
        stuck.is_hanging = True
        slow = WebhookConfig(Secret(stuck.url), timeout=timedelta(seconds=8))
        began: dict[str, float] = {}

        async def main() -> None:
            alerting = engine(tmp_path / "a.db", {"slow": slow, "quick": WebhookConfig(Secret(web.url))})
            await alerting.start()
            for number in range(40):
                began[f"m{number}"] = time.monotonic()
                alerting.observe([breach(f"m{number}")], number)
                await asyncio.sleep(0.005)
            await until(lambda: len(web.seen) == 40)
            stuck.hang.set()
            await alerting.stop()

        asyncio.run(main())

    late = [at - began[body["alerts"][0]["labels"]["model"]] for *_, body, at in web.seen]  # type: ignore[index]  # JSON
    assert max(late) < 1.0


def test_retry_after_is_honoured_and_the_id_is_kept(web: Web, tmp_path: Path) -> None:
    web.status, web.headers = 429, {"retry-after": "1", "content-length": "0"}
    counted: list[str] = []

    async def main() -> None:
        alerting = engine(tmp_path / "a.db", {"ops": WebhookConfig(Secret(web.url))}, counted)
        async with alerting:
            alerting.observe([breach()], 1)
            await until(lambda: len(web.seen) == 1)
            web.status, web.headers = 200, {}
            await until(lambda: "delivered" in counted)

    asyncio.run(main())
    first, second = web.seen
    assert first[2]["webhook-id"] == second[2]["webhook-id"]
    assert second[4] - first[4] >= 1.0
    assert [what for what in counted if what in ("retry", "delivered")] == ["retry", "delivered"]


def test_what_could_not_be_sent_is_sent_after_a_restart_with_the_same_id(web: Web, tmp_path: Path) -> None:
    web.status = 503

    async def first() -> None:
        async with engine(tmp_path / "a.db", {"ops": WebhookConfig(Secret(web.url))}) as alerting:
            alerting.observe([breach()], 1)
            await until(lambda: len(web.seen) >= 1)

    async def second() -> None:
        web.status = 200
        async with engine(tmp_path / "a.db", {"ops": WebhookConfig(Secret(web.url))}) as alerting:
            await until(lambda: alerting.health().outbox == 0)

    asyncio.run(first())
    asyncio.run(second())
    assert len({headers["webhook-id"] for _, _, headers, _, _ in web.seen}) == 1
    assert len(web.seen) >= 2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    openssl = shutil.which("openssl")
    assert openssl is not None
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", str(key), "-out", str(cert),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, cert


@dataclass
class Mail:
    """A real SMTP server: what it took, and what it answers."""

    port: int = 0
    answer: str = "250 OK"
    got: list[tuple[str, list[str], bytes, bool]] = field(default_factory=list)

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
        if self.answer.startswith("250"):
            self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.content, session.ssl is not None))  # type: ignore[attr-defined]
        return self.answer


@contextmanager
def mailing(certificate: tuple[Path, Path] | None, **more: object) -> Iterator[Mail]:
    from aiosmtpd.controller import Controller

    mail = Mail()
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate[1], certificate[0])
        more |= {"tls_context": context, "require_starttls": True}

    class OnAnyPort(Controller):
        """Asks the system for a port, and looks at that one to see whether it is up."""

        def _trigger_server(self) -> None:
            self.port = mail.port = self.server.sockets[0].getsockname()[1]
            super()._trigger_server()

    controller = OnAnyPort(mail, hostname="127.0.0.1", port=0, **more)
    controller.start()
    try:
        yield mail
    finally:
        controller.stop()


def to(mail: Mail, certificate: tuple[Path, Path] | None) -> EmailConfig:
    tls = TLS(certificate[1]) if certificate else TLS()
    return EmailConfig(
        ("Ops <ops@example.com>", "two@example.com"), "MonitorX <m@example.com>", "127.0.0.1", mail.port,
        require_tls=certificate is not None, timeout=timedelta(seconds=5), tls=tls,
    )  # fmt: skip


@pytest.mark.needs("aiosmtpd")
@pytest.mark.needs("openssl")
class TestEmail:
    def test_a_message_arrives_encrypted(self, certificate: tuple[Path, Path]) -> None:
        with mailing(certificate) as mail:
            found = send(to(mail, certificate))

        [(sender, recipients, content, is_encrypted)] = mail.got
        assert found == Outcome(Delivery.DELIVERED, "accepted")
        assert (sender, recipients, is_encrypted) == ("m@example.com", ["ops@example.com", "two@example.com"], True)
        assert b"Message-ID: <n1@example.com>\r\n" in content
        assert b"Subject: [FIRING:1] Slow\r\n" in content

    def test_who_is_named_in_the_header_is_who_gets_it(self) -> None:
        text = "to: 'Ops <ops@example.com>, two@example.com'\nfrom: m@example.com\nsmarthost: 127.0.0.1:25\n"
        config = EmailChannel.read(parse(text, "rules.yaml"), Problems())
        with mailing(None) as mail:
            send(replace(config, port=to(mail, None).port, require_tls=False))

        [(_, recipients, content, _)] = mail.got
        assert recipients == ["ops@example.com", "two@example.com"]
        assert b"To: Ops <ops@example.com>, two@example.com\r\n" in content

    def test_a_server_without_starttls_gets_nothing(self, certificate: tuple[Path, Path]) -> None:
        with mailing(None) as mail:
            found = send(replace(to(mail, None), require_tls=True))

        assert found == Outcome(Delivery.FAILED, "the server offers no STARTTLS, and require_tls is true")
        assert mail.got == []

    def test_a_server_that_we_do_not_trust_gets_nothing(self, certificate: tuple[Path, Path]) -> None:
        with mailing(certificate) as mail:
            found = send(replace(to(mail, certificate), tls=TLS()))

        assert found.delivery is Delivery.FAILED
        assert "certificate" in found.words.lower()
        assert mail.got == []

    def test_a_message_arrives_in_the_clear_where_that_is_asked_for(self) -> None:
        with mailing(None) as mail:
            found = send(to(mail, None))

        assert found.delivery is Delivery.DELIVERED
        assert [is_encrypted for *_, is_encrypted in mail.got] == [False]

    def test_a_password_is_used_and_a_wrong_one_is_not_shown(self, certificate: tuple[Path, Path]) -> None:
        from aiosmtpd.smtp import AuthResult

        def check(server: object, session: object, envelope: object, mechanism: object, data: object) -> object:
            return AuthResult(success=data.password == b"hunter2", handled=False)  # type: ignore[attr-defined]

        with mailing(certificate, authenticator=check, auth_required=True) as mail:
            right = replace(to(mail, certificate), auth_username="m", auth_password=Secret("hunter2"))
            good = send(right)
            bad = send(replace(right, auth_password=Secret("hunter3")))

        assert good.delivery is Delivery.DELIVERED
        assert bad.delivery is Delivery.FAILED
        assert "hunter" not in bad.words
        assert len(mail.got) == 1

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            pytest.param("451 try later", Delivery.RETRY, id="4xx"),
            pytest.param("554 never", Delivery.FAILED, id="5xx"),
        ],
    )
    def test_the_server_s_word_decides(self, answer: str, expected: Delivery) -> None:
        with mailing(None) as mail:
            mail.answer = answer
            found = send(to(mail, None))

        assert found.delivery is expected
        assert answer.split(" ", 1)[1] in found.words

    def test_nobody_listening_is_tried_again(self) -> None:
        found = send(EmailConfig(("a@b.c",), "m@b.c", "127.0.0.1", 1, require_tls=False))

        assert found.delivery is Delivery.RETRY
