"""Checks of what the user gives: the value, or a ValueError that names field, value and what would be right."""

import math
from datetime import UTC, datetime
from typing import TypeGuard

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
    if _is_number(value) and 0 <= value <= most:
        return float(value)
    what = f"a number {unit}" if unit else "a number"
    raise unusable(field, value, f"{what} from 0 to {most:.16g} is expected")


def latency(field: str, value: object) -> float:
    """Milliseconds, a day at most."""
    return amount(field, value, most=86_400_000.0, unit="of milliseconds")


def ratio(field: str, value: object) -> float:
    """A share."""
    if _is_number(value) and 0 <= value <= 1:
        return float(value)
    hint = f" (is {value:g} a percentage? then {value / 100:g})" if _is_number(value) and 1 < value <= 100 else ""
    raise unusable(field, value, f"a ratio from 0 to 1 is expected{hint}")


def memory(field: str, value: object) -> float:
    """Bytes."""
    if _is_number(value) and 0 < value < 1:
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


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
