"""Passwords and tokens: values that never show what they hold, and are read again from their file at every use."""

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, unquote, urlsplit

from monitorx.alerting.document import Node, Problems, Section

MAX_SECRET_BYTES = 64 << 10
_LONG = 6  # characters: a part of a URL that is shorter is a word like "api", not a key
_HIDDEN = "<secret>"


class Secret:
    """A value that prints as `<secret>`; only `reveal()` gives it, to the line of code that sends it."""

    __slots__ = ("_path", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._path: Path | None = None

    @classmethod
    def file(cls, path: Path) -> "Secret":
        """A secret kept in a file: whoever rotates it writes the file, nobody restarts the server."""
        secret = cls("")
        secret._path = path
        return secret

    def reveal(self) -> str:
        """
        The value itself.

        Raises:
            OSError: The file cannot be read, or is too large to be a secret.
        """
        if self._path is None:
            return self._value
        with self._path.open("rb") as stream:
            data = stream.read(MAX_SECRET_BYTES + 1)
        if len(data) > MAX_SECRET_BYTES:
            raise OSError(f"{self._path} is over {MAX_SECRET_BYTES} bytes, too large to be a secret")
        return data.decode("utf-8", "replace").strip()

    def __repr__(self) -> str:
        return _HIDDEN

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self._value, self._path) == (other._value, other._path)

    def __hash__(self) -> int:
        return hash((self._value, self._path))


def read_secret(section: Section, key: str, problems: Problems) -> Secret | None:
    """The secret under *key*, or in the file that *key*_file names; None where neither is written."""
    written, file = section.entry(key), section.entry(f"{key}_file")
    if written is not None and file is not None:
        problems.add(file, f"give {key} or {key}_file, not both")
    if written is not None:
        return secret_of(written, problems)
    return None if file is None else secret_in_file(file, problems)


def secret_of(node: Node, problems: Problems) -> Secret:
    """A secret written in the document; its value is never part of a complaint."""
    if not node.text:
        problems.add(node, "must be a string that is not empty")
    return Secret(node.text)


def secret_in_file(node: Node, problems: Problems) -> Secret:
    """A secret in the file that *node* names, beside the document unless the path is absolute."""
    secret = Secret.file(Path(node.file).parent / node.text)
    try:
        if not secret.reveal():
            problems.add(node, f"{node.text} is empty")
    except OSError as error:
        problems.add(node, f"{node.text} cannot be read: {error.strerror or error}")
    except ValueError:
        problems.add(node, f"{node.text!r} is not the path of a file: no path holds a NUL character")
    return secret


def without_secrets(text: str, secrets: "tuple[Secret, ...]") -> str:
    """
    *text* with *secrets* blotted out, for words that another program had a hand in.

    Such a program rarely says a secret as it was written: a server that has no such page says the path, one that
    refuses a token says it without `Bearer`. So the parts of a secret are blotted out too, however they are quoted.
    """
    forms: set[str] = set()
    for secret in secrets:
        try:
            forms.update(_forms(secret.reveal()))
        except OSError:
            continue
    if not forms:
        return text
    longest_first = sorted(forms, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), _HIDDEN, text, flags=re.IGNORECASE)


def _forms(value: str) -> Iterator[str]:
    """What of *value* must not be read anywhere, as it was written and percent-decoded and -encoded."""
    parts = {value, *_url_parts(value), *_credentials(value)}
    for part in filter(None, parts):
        yield from (part, unquote(part), quote(unquote(part)), quote(unquote(part), safe=""))


def _url_parts(value: str) -> Iterator[str]:
    """Path, query and user of a URL, and each longer piece of them."""
    try:
        url = urlsplit(value)
    except ValueError:
        return
    if not url.netloc:
        return
    whole = (url.path.strip("/"), url.query, url.fragment)
    yield from (part for part in (*whole, *re.split(r"[/&=;]", "/".join(whole))) if len(part) >= _LONG)
    if "@" in url.netloc:
        yield from _user_parts(unquote(url.netloc.rpartition("@")[0]))


def _credentials(value: str) -> Iterator[str]:
    """What follows the scheme in the value of an Authorization header; of Basic, what it stands for."""
    scheme, _, token = value.partition(" ")
    yield token.strip()
    if scheme.lower() == "basic":
        try:
            yield from _user_parts(base64.b64decode(token).decode())
        except (binascii.Error, UnicodeDecodeError):
            return


def _user_parts(user: str) -> Iterator[str]:
    """`name:password`, the password alone, and the header that clients make of both."""
    yield from (user, user.partition(":")[2], base64.b64encode(user.encode()).decode())
    if len(name := user.partition(":")[0]) >= _LONG:
        yield name  # some services take the key as the name
