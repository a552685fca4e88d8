"""
Anchors from the files of `monitorx reference fit`, so that every replica counts each feature in the same buckets.

Of a file (docs/reference/reference-file.md) only names, roles and anchors are read here. A file that cannot be read is
a line on the log: the features of its model take anchors of their own.
"""

import json
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monitorx.processor.distribution import Anchors
from monitorx.sketch import Anchor

logger = logging.getLogger(__name__)

MAX_BYTES = 256 << 20

Key = tuple[str, str | None, str, str]


def anchors_from(paths: str | None) -> Anchors:
    """The anchors in the files of the setting *paths*, comma-separated; none where it is empty."""
    anchors: dict[Key, Anchor] = {}
    for path in (paths or "").split(","):
        if path.strip():
            try:
                anchors.update(_read(Path(path.strip())))
            except Exception as error:  # noqa: BLE001  of whatever is wrong in it, the application must not hear
                words = "no reference is read from %.200s: %s; features take their own anchors"
                logger.warning(words, path.strip(), error)
    return anchors


def _read(path: Path) -> dict[Key, Anchor]:
    if path.exists() and not path.is_file():
        raise ValueError("it is no file")  # to read a pipe could take for ever
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES} bytes")
    document: dict[str, Any] = json.loads(path.read_bytes())  # Any: JSON; what is looked at is checked below
    return dict(_anchors(str(document["model"]), document["model_version"] or None, document["features"]))


def _anchors(model: str, version: str | None, features: list[dict[str, Any]]) -> Iterator[tuple[Key, Anchor]]:
    for feature in features:
        center, scale = float(feature["center"]), float(feature["scale"])
        if not (math.isfinite(center) and math.isfinite(scale) and scale > 0):
            raise ValueError(f"the anchor of {feature['name']} is ({center:g}, {scale:g})")
        yield (model, version, str(feature["name"]), str(feature["role"])), Anchor(center, scale)
