"""
Line protocol: one point, one line, in the form that 1.x, 2.x and 3.x all read.

Tag values are any text in MonitorX, and are not in InfluxDB: it takes no line break, and what a backslash means
depends on what follows. Such characters are written as %XX, and so is a % that would be mistaken for one; everything
else stays as it is. `tag_text` turns a stored value back.
"""

import math
import re
from collections.abc import Mapping

from monitorx.backend.storage.influxdb.measurement import Measurement

# InfluxDB refuses a series key over 65,535 bytes; the name of the longest field still has to fit.
MAX_SERIES_BYTES = 65_000
# The ends of its calendar.
MIN_TIME_NS, MAX_TIME_NS = -9_223_372_036_854_775_806, 9_223_372_036_854_775_806

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]|%(?=[0-9A-Fa-f]{2})")
_WRITTEN = re.compile(r"%([0-9A-F]{2})")
_TAG_ESCAPES = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})
_TEXT_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\"})


def line(
    measurement: Measurement, tags: Mapping[str, str], fields: Mapping[str, float | str | None], time_ns: int
) -> str | None:
    """
    One point as a line; None where nothing would be left of it or its tags are longer than InfluxDB takes.

    Tags without text and numbers that are none (None, NaN, an infinity) are left out.

    Raises:
        KeyError: A tag or a field is not in *measurement*.
    """
    unknown = [*(tags.keys() - set(measurement.tags)), *(fields.keys() - {each.name for each in measurement.fields})]
    if unknown:
        raise KeyError(f"{measurement.name} has no tag or field {unknown[0]!r}")
    written = [f"{name}={_escaped(tags[name])}" for name in measurement.tags if tags.get(name)]
    series = ",".join([measurement.name, *written])
    values = [f"{name}={text}" for name, value in fields.items() if (text := _value(value)) is not None]
    if not values or len(series.encode()) > MAX_SERIES_BYTES or not MIN_TIME_NS <= time_ns <= MAX_TIME_NS:
        return None
    return f"{series} {','.join(values)} {time_ns}"


def tag_value(text: str) -> str:
    """*text* as it is stored in a tag."""
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", text)


def tag_text(stored: str | None) -> str:
    """The text that `tag_value` was given; empty where there is no tag."""
    return _WRITTEN.sub(lambda found: chr(int(found[1], 16)), stored or "")


def _escaped(text: str) -> str:
    return tag_value(text).translate(_TAG_ESCAPES)


def _value(value: float | str | None) -> str | None:
    if isinstance(value, str):
        return f'"{value.translate(_TEXT_ESCAPES)}"'
    if value is None or not math.isfinite(value):
        return None
    return repr(float(value))
