from datetime import timedelta
from pathlib import Path

import pytest

from monitorx.alerting.channel.email import EmailChannel
from monitorx.alerting.channel.email_config import EmailConfig
from monitorx.alerting.channel.webhook import WebhookChannel
from monitorx.alerting.channel.webhook_config import WebhookConfig
from monitorx.alerting.config import installed, load
from monitorx.alerting.document import DocumentError, Problems
from monitorx.alerting.secret import Secret
from tests.alerting.scenario import node, route

FULL = """
route:
  receiver: ops
  group_by: [alertname, model]
  group_wait: 5s
  routes:
    - matchers: [severity="critical"]
      receiver: night
      repeat_interval: 30m
      continue: true
      routes:
        - matchers: [team="risk", model=~"fraud.*"]
          group_by: ['...']
receivers:
  - name: ops
    webhook_configs:
      - url: https://user:hunter2@hooks.example.com/T0/secret-path
        method: PUT
        max_alerts: 20
        timeout: 3s
        headers: {X-Key: hunter3}
        headers_file: {X-Other: other.txt}
        bearer_token_file: token.txt
  - name: night
    email_configs:
      - to: [Ops <ops@example.com>, second@example.com]
        from: monitorx@example.com
        smarthost: smtp.example.com:587
        auth_username: monitorx
        auth_password: 12345
        send_resolved: true
        headers: {X-Team: risk}
"""


def test_a_full_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(FULL)
    (tmp_path / "token.txt").write_text("hunter4\n")
    (tmp_path / "other.txt").write_text("hunter5\n")

    config = load(tmp_path / "rules.yaml")

    assert config.route is not None
    assert [(r.key, r.receiver, r.group_by, r.group_wait, r.repeat_interval) for r in config.route.walk()] == [
        ("{}", "ops", ("alertname", "model"), timedelta(seconds=5), timedelta(hours=4)),
        ('{}/{severity="critical"}', "night", ("alertname", "model"), timedelta(seconds=5), timedelta(minutes=30)),
        (
            '{}/{severity="critical"}/{team="risk",model=~"fraud.*"}', "night", ("...",), timedelta(seconds=5),
            timedelta(minutes=30),
        ),
    ]  # fmt: skip
    found = [(it.id, it.send_resolved) for integrations in config.receivers.values() for it in integrations]
    assert found == [("ops/webhook[0]", True), ("night/email[0]", True)]
    channels = config.channels()
    assert [type(channel) for channel in channels.values()] == [WebhookChannel, EmailChannel]
    assert "hunter" not in repr(config)
    assert "secret-path" not in repr(config)


def test_a_webhook_is_read(tmp_path: Path) -> None:
    problems = Problems()

    config = WebhookChannel.read(node("url: http://127.0.0.1:9/x\nbearer_token: abc\n"), problems)

    assert problems.found == []
    assert config == WebhookConfig(url=Secret("http://127.0.0.1:9/x"), bearer_token=Secret("abc"))


def test_an_email_is_read() -> None:
    problems = Problems()

    config = EmailChannel.read(node("to: [a@b.c]\nfrom: m@b.c\nsmarthost: '[::1]:465'\n"), problems)

    assert problems.found == []
    assert config == EmailConfig(to=("a@b.c",), sender="m@b.c", host="::1", port=465)
    assert config.is_encrypted_at_once


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        pytest.param("a@b.c", ("a@b.c",), id="one"),
        pytest.param("'a@b.c, d@e.f'", ("a@b.c", "d@e.f"), id="two, as Alertmanager has them"),
        pytest.param("['a@b.c, d@e.f', g@h.i]", ("a@b.c", "d@e.f", "g@h.i"), id="both ways"),
        pytest.param(
            """'Ops <a@b.c>, "Doe, Jo" <d@e.f>'""", ("Ops <a@b.c>", '"Doe, Jo" <d@e.f>'), id="names, one with a comma"
        ),
        pytest.param("|\n  a@b.c\n", ("a@b.c",), id="a block that ends with a line break"),
    ],
)
def test_each_address_is_one_recipient(to: str, expected: tuple[str, ...]) -> None:
    problems = Problems()

    config = EmailChannel.read(node(f"to: {to}\nfrom: |\n  M <m@b.c>\nsmarthost: a:25\n"), problems)

    assert (problems.found, config.to, config.sender) == ([], expected, "M <m@b.c>")


def test_a_receiver_without_channels_is_a_black_hole_as_in_alertmanager(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")

    assert load(tmp_path / "rules.yaml").receivers == {"nobody": ()}


WEBHOOK, EMAIL = "route: {receiver: a}\nreceivers:\n- name: a\n  webhook_configs:\n  - ", "to: [a@b.c]\nfrom: m@b.c\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            "route: {receiver: b}\nreceivers: [{name: a}]",
            "1: route.receiver: no receiver is named 'b'; known: a",
            id="receiver",
        ),
        pytest.param("route: {}\nreceivers: [{name: a}]", "1: route: receiver is missing; known: a", id="no receiver"),
        pytest.param("receivers: [{name: a}]", "1: receivers: nobody would be told: there is no route", id="no route"),
        pytest.param(
            "route: {receiver: a, group_wiat: 5s}\nreceivers: [{name: a}]",
            "1: route.group_wiat: unknown key; did you mean group_wait?",
            id="typo",
        ),
        pytest.param(
            "route: {receiver: a, group_wait: 5}\nreceivers: [{name: a}]",
            "1: route.group_wait: '5' is not a duration",
            id="duration",
        ),
        pytest.param(
            "route: {receiver: a, group_wait: 8000y}\nreceivers: [{name: a}]",
            "1: route.group_wait: '8000y' is too long a duration; 10y is the longest",
            id="longer than time",
        ),
        pytest.param(
            "route: {receiver: a, group_interval: 0s}\nreceivers: [{name: a}]",
            "1: route.group_interval: must be longer than 0s",
            id="zero",
        ),
        pytest.param(
            "route: {receiver: a, matchers: [a=b]}\nreceivers: [{name: a}]",
            "1: route.matchers: the top route takes every alert",
            id="top matchers",
        ),
        pytest.param(
            "route:\n  receiver: a\n  routes:\n  - matchers: ['a~b']\nreceivers: [{name: a}]",
            "4: route.routes[0].matchers[0]: 'a~b' is not a matcher",
            id="matcher",
        ),
        pytest.param(
            "route: {receiver: a}\nreceivers: [{name: a}, {name: a}]",
            "2: receivers[1].name: two receivers are named 'a'",
            id="twice",
        ),
        pytest.param(
            "route: {receiver: a}\nreceivers: [{name: a, webhok_configs: []}]",
            "2: receivers[0].webhok_configs: unknown key; did you mean webhook_configs?",
            id="kind",
        ),
        pytest.param(
            WEBHOOK + "url: hooks.example.com",
            "5: receivers[0].webhook_configs[0].url: must be a URL with a host",
            id="url",
        ),
        pytest.param(
            WEBHOOK + "method: GET\n    url: http://a",
            "webhook_configs[0].method: 'GET' must be one of POST, PUT",
            id="method",
        ),
        pytest.param(
            WEBHOOK + "send_resolved: true",
            "5: receivers[0].webhook_configs[0]: url is missing; give url or url_file",
            id="no url",
        ),
        pytest.param(
            WEBHOOK + "url: http://a\n    url_file: b",
            "6: receivers[0].webhook_configs[0].url_file: give url or url_file, not both",
            id="both",
        ),
        pytest.param(
            WEBHOOK + "url_file: nowhere", "url_file: nowhere cannot be read: No such file or directory", id="no file"
        ),
        pytest.param(
            WEBHOOK + "url: http://a\n    max_alerts: -1", "max_alerts: -1 must be a whole number", id="count"
        ),
        pytest.param(
            WEBHOOK + "url: http://a\n    max_alerts: 1e400",
            "webhook_configs[0].max_alerts: 1e400 is too large; write a number under 1e308",
            id="infinity",
        ),
        pytest.param(WEBHOOK + "url: http://exa mple.com", "url: must be a URL with a host, like https", id="space"),
        pytest.param(WEBHOOK + "url: http://exa%20mple.com", "url: must be a URL with a host, like https", id="quoted"),
        pytest.param(WEBHOOK + "url: ' http://a'", "url: must be a URL with a host, like https", id="leading space"),
        pytest.param(WEBHOOK + "url: http://a:0", "url: must be a URL with a host, like https", id="port 0"),
        pytest.param(
            WEBHOOK + 'url_file: "a\\0b"',
            "url_file: 'a\\x00b' is not the path of a file: no path holds a NUL character",
            id="NUL",
        ),
        pytest.param(
            WEBHOOK + 'url: http://a\n    tls_config: {ca_file: "a\\0b"}',
            "tls_config.ca_file: 'a\\x00b' is not the path of a file: no path holds a NUL character",
            id="NUL of an authority",
        ),
        pytest.param(
            "route: {receiver: a}\nreceivers: [{name: a, slack_configs: []}]",
            "2: receivers[0].slack_configs: unknown key; known: email_configs, name, webhook_configs",
            id="another kind",
        ),
        pytest.param(
            "route: {receiver: x}\nreceivers: []", "1: route.receiver: no receiver is named 'x'; known: none", id="none"
        ),
        pytest.param(
            WEBHOOK + "url: http://a\n    timeout: 2m", "timeout: must be over 0s and at most 1m", id="timeout"
        ),
        pytest.param(
            WEBHOOK + "url: http://a\n    headers: {webhook-id: x}",
            "headers.webhook-id: is set by MonitorX",
            id="our header",
        ),
        pytest.param(
            WEBHOOK + "url: http://a\n    headers: {'a b': x}", "'a b' is not the name of a header", id="header name"
        ),
    ],
)
def test_what_is_wrong_is_said_with_line_and_key(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)

    with pytest.raises(DocumentError) as raised:
        load(path)

    assert words in str(raised.value)
    assert str(raised.value).startswith(f"{path}:")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("from: m@b.c\nsmarthost: a:25", "to is missing|at least one address", id="nobody"),
        pytest.param("to: a@b.c c@d.e\nfrom: m@b.c\nsmarthost: a:25", "nor several with commas between", id="no comma"),
        pytest.param("to: 'a@b.c,, nobody'\nfrom: m@b.c\nsmarthost: a:25", "'a@b.c,, nobody' is not", id="one of two"),
        pytest.param("to: a@b.c\nfrom: 'm@b.c, n@b.c'\nsmarthost: a:25", "must be one address", id="two senders"),
        pytest.param("to: [nobody]\nfrom: m@b.c\nsmarthost: a:25", "'nobody' is not an address", id="address"),
        pytest.param(EMAIL + "smarthost: a", "'a' must be host:port, like smtp.example.com:587", id="no port"),
        pytest.param(EMAIL + "smarthost: a:0", "must be host:port", id="port 0"),
        pytest.param(EMAIL + "smarthost: a:25\nauth_username: x", "go together", id="no password"),
        pytest.param(
            EMAIL + "smarthost: a:25\nauth_username: x\nauth_password: y\nrequire_tls: false",
            "only sent over TLS",
            id="plain",
        ),
        pytest.param(
            EMAIL + "smarthost: a:25\nheaders: {Message-ID: x}", "is not a header that can be added", id="header"
        ),
        pytest.param(EMAIL + "smarthost: a:25\ntls_config: {ca_file: nowhere}", "cannot be used", id="authority"),
    ],
)
def test_what_is_wrong_with_an_email_is_said(text: str, words: str) -> None:
    problems = Problems()

    EmailChannel.read(node(text), problems)

    with pytest.raises(DocumentError, match=words):
        problems.check()


def test_the_value_of_a_secret_is_in_no_complaint() -> None:
    problems = Problems()

    WebhookChannel.read(node("url: {hunter2: x}\nbearer_token: [hunter2]\n"), problems)
    WebhookChannel.read(node("url: ftp://u:hunter2@a\nmethod: GET\n"), problems)

    assert problems.found
    assert not [problem for problem in problems.found if "hunter2" in problem.message]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param({"severity": "critical"}, ["log", "night"], id="continue goes on to the siblings"),
        pytest.param({"severity": "critical", "team": "risk"}, ["log", "ops"], id="the deepest wins"),
        pytest.param({"severity": "info"}, ["ops"], id="none below: the top takes it"),
    ],
)
def test_the_tree_is_walked_as_alertmanager_does(labels: dict[str, str], expected: list[str]) -> None:
    top = route("""
receiver: ops
routes:
- matchers: [severity="critical"]
  receiver: log
  continue: true
- matchers: [severity="critical"]
  receiver: night
  routes:
  - matchers: [team="risk"]
    receiver: ops
- matchers: [severity="critical"]
  receiver: night
""")

    assert [taken.receiver for taken in top.matching(labels)] == expected


def test_both_kinds_of_channels_are_installed() -> None:
    assert {"webhook", "email"} <= installed().keys()
