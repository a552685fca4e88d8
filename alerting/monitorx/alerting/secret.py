"""Passwords and tokens: values that never show what they hold, and are read again from their file at every use."""

from pathlib import Path
from typing import NoReturn

from monitorx.alerting.document import Node, Problems, Section

MAX_SECRET_BYTES = 64 << 10
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
    return secret


def without_secrets(text: str, secrets: "tuple[Secret, ...]") -> str:
    """*text* with every value of *secrets* blotted out, for words that another program had a hand in."""
    for secret in secrets:
        try:
            value = secret.reveal()
        except OSError:
            continue
        if value:
            text = text.replace(value, _HIDDEN)
    return text
