"""Ids of traces and spans as they are written in addresses and bodies: so many hexadecimal digits."""

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

_ANY = "0-9a-fA-F"
_LOWER = "0-9a-f"


def _of(digits: int, allowed: str, words: str) -> Callable[[str], str]:
    """A check whose refusal says in words what a pattern would."""
    pattern = re.compile(f"[{allowed}]{{{digits}}}")

    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"{digits} {words} are expected")
        return text

    return check


def _schema(digits: int, allowed: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^[{allowed}]{{{digits}}}$"})


TraceId = Annotated[str, AfterValidator(_of(32, _ANY, "hexadecimal digits")), _schema(32, _ANY)]
SpanId = Annotated[str, AfterValidator(_of(16, _ANY, "hexadecimal digits")), _schema(16, _ANY)]
NewTraceId = Annotated[str, AfterValidator(_of(32, _LOWER, "lower-case hexadecimal digits")), _schema(32, _LOWER)]
NewSpanId = Annotated[str, AfterValidator(_of(16, _LOWER, "lower-case hexadecimal digits")), _schema(16, _LOWER)]
