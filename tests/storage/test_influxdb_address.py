"""`--store influxdb...`: read, or refused in words that hold no secret."""

from pathlib import Path

import pytest

from monitorx.backend.errors import ConfigError
from monitorx.backend.storage.influxdb import parse

TOKEN = {"MONITORX_INFLUXDB_TOKEN": "hush-hush"}


@pytest.mark.parametrize(
    ("address", "url", "org", "database"),
    [
        pytest.param("influxdb://db:9999/acme/ml", "http://db:9999", "acme", "ml", id="2.x"),
        pytest.param("influxdbs://db/acme/ml", "https://db:8086", "acme", "ml", id="2.x, TLS, usual port"),
        pytest.param("influxdb://[::1]:1/a%2Fb/ml%20x", "http://[::1]:1", "a/b", "ml x", id="names of any text"),
        pytest.param("influxdb1://db:8086/ml", "http://db:8086", "", "ml", id="1.x"),
        pytest.param("influxdb1s://db:8086/ml/", "https://db:8086", "", "ml", id="1.x, TLS"),
    ],
)
def test_an_address_is_read(address: str, url: str, org: str, database: str) -> None:
    target = parse(address, TOKEN)

    assert (target.url, target.org, target.database) == (url, org, database)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        pytest.param("influxdb://db:8086/ml", "influxdb://HOST:PORT/ORG/BUCKET is expected", id="no organisation"),
        pytest.param("influxdb1://db:8086", "influxdb1://HOST:PORT/DATABASE is expected", id="no database"),
        pytest.param("influxdb1://db:8086/a/b", "influxdb1://HOST:PORT/DATABASE is expected", id="too much"),
        pytest.param("influxdb1://db:port/a", "influxdb1://HOST:PORT/DATABASE is expected", id="port"),
        pytest.param("influxdb1:///a", "influxdb1://HOST:PORT/DATABASE is expected", id="no host"),
        pytest.param("influxdb2://db/a", "one of influxdb://HOST:PORT/ORG/BUCKET, influxdbs", id="scheme"),
    ],
)
def test_another_form_is_refused_with_the_right_one(address: str, words: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse(address, TOKEN)

    assert words in str(refusal.value)


@pytest.mark.parametrize(
    "address",
    ["influxdb://u:hush-hush@db/acme/ml", "influxdb1://u:hush-hush@db/ml", "influxdb://db/acme/ml?token=hush-hush"],
)
def test_a_secret_in_the_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ConfigError, match="a secret does not belong into the address") as refusal:
        parse(address, {})

    assert "hush-hush" not in str(refusal.value)
    assert "_FILE" in str(refusal.value)


def test_no_form_of_a_target_shows_its_secrets() -> None:
    first = parse("influxdb://db:1/acme/ml", TOKEN)
    second = parse("influxdb1://db:1/ml", {"MONITORX_INFLUXDB_USER": "u", "MONITORX_INFLUXDB_PASSWORD": "hush-hush"})

    assert "hush-hush" not in f"{first} {first!r} {second} {second!r}"
    assert (str(first), str(second)) == ("influxdb://db:1/acme/ml", "influxdb1://db:1/ml")
    assert (first.token and first.token.reveal(), second.password and second.password.reveal()) == ("hush-hush",) * 2


def test_2x_needs_a_token() -> None:
    with pytest.raises(ConfigError, match="needs a token; set MONITORX_INFLUXDB_TOKEN_FILE"):
        parse("influxdb://db/acme/ml", {})


def test_a_token_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("hush-hush\n")

    target = parse("influxdb://db/acme/ml", {"MONITORX_INFLUXDB_TOKEN_FILE": str(file)})
    assert target.token is not None
    assert target.token.reveal() == "hush-hush"
    file.write_text("rotated")
    assert target.token.reveal() == "rotated"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        pytest.param({"MONITORX_INFLUXDB_TOKEN_FILE": "/none"}, "TOKEN_FILE: /none cannot be read", id="no file"),
        pytest.param({**TOKEN, "MONITORX_INFLUXDB_TOKEN_FILE": "/none"}, "are both set", id="two of them"),
    ],
)
def test_a_secret_that_cannot_be_had_is_refused_by_name(environ: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refusal:
        parse("influxdb://db/acme/ml", environ)

    assert "hush-hush" not in str(refusal.value)
