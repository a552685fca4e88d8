"""An expression in pieces: words, quantities, quoted strings and signs, each with its place."""

import re
from dataclasses import dataclass
from enum import Enum

_SIGNS = ("=~", "!~", "!=", "==", ">=", "<=", "=", ">", "<", "(", ")", "{", "}", "[", "]", ",")
_ODD_NAME = re.compile(r"[^\W\d][\w.]*(?:[-/:@+]+[\w.]+)+")
_LONGEST_NAME = 100  # that is looked for around a sign


class ExpressionError(ValueError):
    """An expression cannot be read; `position` counts characters from 0."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position = position


class Kind(Enum):
    """What a token is, as errors call it."""

    WORD = "a name"
    QUANTITY = "a number"
    STRING = "a quoted string"
    SIGN = "a sign"
    END = "the end"


@dataclass(frozen=True, slots=True)
class Token:
    """One piece. `text` of a string is what it stands for, without quotes and escapes."""

    kind: Kind
    text: str
    position: int

    def __str__(self) -> str:
        return "the end" if self.kind is Kind.END else repr(self.text)


def tokens(text: str) -> list[Token]:
    """
    The pieces of *text*, ended by an END.

    >>> [token.text for token in tokens('p95(latency[5m]) > 250ms')]
    ['p95', '(', 'latency', '[', '5m', ']', ')', '>', '250ms', '']
    """
    found, position = [], 0
    while position < len(text):
        character = text[position]
        if character.isspace():
            position += 1
            continue
        token, position = _next(text, position)
        found.append(token)
    return [*found, Token(Kind.END, "", len(text))]


def _next(text: str, position: int) -> tuple[Token, int]:
    character = text[position]
    if character in "\"'":
        return _string(text, position)
    if character.isdigit() or (character in "+-." and text[position + 1 : position + 2].isdecimal()):
        end = _quantity_end(text, position)
        return Token(Kind.QUANTITY, text[position:end], position), end
    if character.isalpha() or character == "_":
        end = position
        while end < len(text) and (text[end].isalnum() or text[end] in "_."):
            end += 1
        return Token(Kind.WORD, text[position:end], position), end
    for sign in _SIGNS:
        if text.startswith(sign, position):
            return Token(Kind.SIGN, sign, position), position + len(sign)
    raise ExpressionError(position, f"{character!r} means nothing here{_quote_it(text, position)}")


def _quote_it(text: str, position: int) -> str:
    """What to write where the sign at *position* is part of a name."""
    begin = max(0, position - _LONGEST_NAME)
    near, here = text[begin : position + _LONGEST_NAME], position - begin
    names = (found[0] for found in _ODD_NAME.finditer(near) if found.start() < here < found.end())
    return "".join(f'; a name with such signs is quoted: "{name}"' for name in names)


def _quantity_end(text: str, position: int) -> int:
    """A number and the unit that stands at it: `-1.5`, `1e-3`, `250ms`, `5%`, `1h30m`."""
    end = position + 1
    while end < len(text):
        is_exponent = text[end] in "+-" and text[end - 1] in "eE" and text[end - 2].isdigit()
        if not (text[end].isalnum() or text[end] in ".%µ" or is_exponent):
            break
        end += 1
    return end


def _string(text: str, begin: int) -> tuple[Token, int]:
    quote, position = text[begin], begin + 1
    characters: list[str] = []
    while position < len(text):
        character = text[position]
        if character == quote:
            return Token(Kind.STRING, "".join(characters), begin), position + 1
        if character == "\\" and position + 1 < len(text):
            position += 1
            # A pattern needs its backslashes: only the quote, the backslash and the line break are escaped.
            escaped = {quote: quote, "\\": "\\", "n": "\n"}.get(text[position])
            characters.append("\\" + text[position] if escaped is None else escaped)
        else:
            characters.append(character)
        position += 1
    raise ExpressionError(begin, f"the string that begins with {quote} does not end")
