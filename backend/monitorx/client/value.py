"""
Checks of what the user gives: the value, or a ValueError that names field, value and what would be right.

Numbers may be those of numpy and the like, which are recognised without it; what is given back is Python's own.
"""

import math
from datetime import UTC, datetime
from numbers import Integral
from typing import SupportsFloat

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_NAME = 256  # characters, as the server takes them
MODEL_TYPES = {"llm": "llm", "vision": "vision", "tabular": "tabular", "cv": "vision"}  # and what the server calls it


def name(field: str, value: object) -> str:
    """A name that is not empty."""
    if isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable():
        return value
    raise unusable(field, value, f"a text of 1 to {MAX_NAME} printable characters is expected")


def word(field: str, value: object) -> str:
    """A text that may be empty."""
    if isinstance(value, str) and len(value) <= MAX_NAME and value.isprintable():
        return value
    raise unusable(field, value, f"a text of at most {MAX_NAME} printable characters is expected")


def kind(value: object) -> str:
    """What the server calls this type of model."""
    found = MODEL_TYPES.get(value) if isinstance(value, str) else None
    if found is None:
        raise unusable("model_type", value, f"one of {', '.join(MODEL_TYPES)} is expected (cv is the same as vision)")
    return found


def amount(field: str, value: object, *, most: float = 2.0**53, unit: str = "") -> float:
    """A number that is not negative."""
    given = _number(value)
    if given is not None and 0 <= given <= most:
        return given
    what = f"a number {unit}" if unit else "a number"
    raise unusable(field, value, f"{what} from 0 to {most:.16g} is expected")


def latency(field: str, value: object) -> float:
    """Milliseconds, a day at most."""
    return amount(field, value, most=86_400_000.0, unit="of milliseconds")


def ratio(field: str, value: object) -> float:
    """A share."""
    given = _number(value)
    if given is not None and 0 <= given <= 1:
        return given
    is_percentage = given is not None and 1 < given <= 100
    hint = f" (is {given:g} a percentage? then {given / 100:g})" if given is not None and is_percentage else ""
    raise unusable(field, value, f"a ratio from 0 to 1 is expected{hint}")


def memory(field: str, value: object) -> float:
    """Bytes."""
    given = _number(value)
    if given is not None and 0 < given < 1:
        raise unusable(field, value, "a number of bytes is expected, not a share")
    return amount(field, value, unit="of bytes")


def moment(field: str, value: object) -> datetime:
    """A time with its zone."""
    if isinstance(value, datetime) and value.tzinfo is not None and value.year >= 1970:
        return value
    raise unusable(field, value, "a datetime with a time zone is expected, as in datetime.now(UTC)")


def unusable(field: str, value: object, right: str) -> ValueError:
    """The error to raise; a long value is cut."""
    given = repr(value)
    return ValueError(f"{field}: {given if len(given) <= 100 else given[:100] + '…'} cannot be used; {right}")


def truth(value: object) -> bool | None:
    """A truth value, Python's or numpy's; None where *value* is none."""
    is_one = isinstance(value, bool) or (_type_word(value).startswith("bool") and getattr(value, "ndim", 1) == 0)
    return bool(value) if is_one else None


def _number(value: object) -> int | float | None:
    """A finite number as Python's own; None where *value* is none. Of an array only one without dimensions is."""
    word = _type_word(value)
    if isinstance(value, bool | str | bytes) or word.startswith(("bool", "str", "complex", "timedelta", "datetime")):
        return None
    if getattr(value, "ndim", 0) != 0 or not isinstance(value, SupportsFloat):
        return None
    try:
        given = int(value) if isinstance(value, Integral) else float(value)
        return given if math.isfinite(given) else None
    except (ArithmeticError, TypeError, ValueError, RuntimeError):  # it has the method, and cannot be one after all
        return None


def _type_word(value: object) -> str:
    """What numpy, and what goes its way, calls the type of *value*: float32, bool; empty for all others."""
    return str(getattr(value, "dtype", "")).rpartition(".")[2]  # torch.float32
