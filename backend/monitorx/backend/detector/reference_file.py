"""
References as files: written by `monitorx reference fit`, read by the server and, for the anchors, by the application.

The format is docs/reference/reference-file.md. Histograms stand in it as they travel: of (x - center) / scale.
"""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from monitorx.backend.detector.reference import MAX_WINDOWS, FittedKey, Reference, reference_of
from monitorx.backend.detector.sketch import Sketch, Unreadable, sketch_of
from monitorx.backend.errors import ConfigError
from monitorx.sketch import Anchor, ExponentialHistogram
from monitorx.sketch.exponential import dense

VERSION = 1
MAX_BYTES = 256 << 20
_FARTHEST = 1 << 31  # offsets travel in 32 bits
_MOST = 1 << 53  # values that are counted one by one


class Buckets(msgspec.Struct, forbid_unknown_fields=True):
    """Bucket offset + i counts (base^(offset + i), base^(offset + i + 1)]."""

    offset: int
    counts: list[int]


class Histogram(msgspec.Struct, forbid_unknown_fields=True):
    """One window."""

    scale: int
    zero_threshold: float
    zero_count: int
    positive: Buckets
    negative: Buckets
    min: float
    max: float


class Feature(msgspec.Struct, forbid_unknown_fields=True):
    """One feature: its anchor, and its windows in the order of time."""

    name: str
    role: str
    center: float
    scale: float
    windows: list[Histogram]


class Document(msgspec.Struct, forbid_unknown_fields=True):
    """A whole file."""

    version: int
    id: str
    model: str
    model_version: str
    rows: int
    features: list[Feature]


def feature_of(name: str, role: str, anchor: Anchor, windows: Iterable[ExponentialHistogram]) -> Feature:
    """One feature, to be written."""
    return Feature(name, role, anchor.center, anchor.scale, [_histogram(window) for window in windows])


def write(path: Path, model: str, model_version: str, rows: int, features: Sequence[Feature]) -> str:
    """
    Write a file; the id of the reference, which follows from its content.

    Raises:
        ConfigError: The file cannot be written.
    """
    check_place(path)
    document = Document(VERSION, "", model, model_version, rows, list(features))
    document.id = _id(document)
    unfinished = path.with_name(path.name + ".tmp")
    try:
        unfinished.write_bytes(msgspec.json.encode(document) + b"\n")
        unfinished.replace(path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
    return document.id


def check_place(path: Path) -> None:
    """Raise `ConfigError` where no file can be at *path*: before the work whose result it is to take."""
    folder = path.parent
    try:
        if path.is_dir():
            raise ConfigError(f"{path} cannot be written: it is a folder; the name of a file is expected")
        if not folder.is_dir():
            what = "is not a folder" if folder.exists() else "does not exist"
            raise ConfigError(f"{path} cannot be written: the folder {folder} {what}")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None


def read(paths: Iterable[Path]) -> dict[FittedKey, Reference]:
    """
    The references in *paths*, by model, version ("" for any), feature and role.

    Raises:
        ConfigError: A file cannot be read or was changed, or two of them speak of the same feature.
    """
    references: dict[FittedKey, Reference] = {}
    for path in paths:
        document = _document(path)
        for feature in document.features:
            key = (document.model, document.model_version, feature.name, feature.role)
            if key in references:
                raise ConfigError(f"{path}: there is a reference for {_words(key)} already; each stands in one file")
            references[key] = _reference(path, document.id, feature)
        # Last, since what makes no sense has better words.
        if document.id != _id(document):
            raise ConfigError(f"{path} was changed after it was fitted; fit it again: `monitorx reference fit`")
    return references


def _id(document: Document) -> str:
    """What the content of *document* is called; another content has another name."""
    content = [document.model, document.model_version, document.rows, document.features]
    return f"fitted-{hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:12]}"


def _document(path: Path) -> Document:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_BYTES} bytes; a reference of fewer windows is expected")
        document = msgspec.json.decode(path.read_bytes(), type=Document)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; `monitorx reference fit` writes it") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not a reference: {error}; `monitorx reference fit` writes one") from None
    if document.version != VERSION:
        raise ConfigError(f"{path} has version {document.version}, and this MonitorX reads {VERSION}")
    return document


def _reference(path: Path, reference_id: str, feature: Feature) -> Reference:
    try:
        windows = [_sketch(feature, window) for window in feature.windows]
        made = reference_of(f"{reference_id}/{feature.role}/{feature.name}", windows)
    except Unreadable as fault:
        raise ConfigError(f"{path}: {feature.name}: a histogram makes no sense ({fault.reason})") from None
    except ValueError as error:
        raise ConfigError(f"{path}: {feature.name}: {error}; at most {MAX_WINDOWS} are read") from None
    assert made is not None  # noqa: S101  all windows of a feature have one anchor, so they lie on one lattice
    return made


def _sketch(feature: Feature, window: Histogram) -> Sketch:
    _check(window)
    return sketch_of(
        center=feature.center,
        anchor=feature.scale,
        scale=window.scale,
        zero_count=window.zero_count,
        zero_threshold=window.zero_threshold,
        positive_offset=window.positive.offset,
        positive=window.positive.counts,
        negative_offset=window.negative.offset,
        negative=window.negative.counts,
        low=window.min,
        high=window.max,
    )


def _check(window: Histogram) -> None:
    """Raise `Unreadable` for what no fit writes."""
    counts = [window.zero_count, *window.positive.counts, *window.negative.counts]
    if min(counts) < 0 or not 0 < sum(counts) <= _MOST:
        raise Unreadable("count")
    if any(not -_FARTHEST <= side.offset < _FARTHEST for side in (window.positive, window.negative)):
        raise Unreadable("offset")
    if window.min > window.max:
        raise Unreadable("min above max")


def _histogram(window: ExponentialHistogram) -> Histogram:
    return Histogram(
        window.scale,
        window.zero_threshold,
        window.zero_count,
        Buckets(*dense(window.positive)),
        Buckets(*dense(window.negative)),
        window.min,
        window.max,
    )


def _words(key: FittedKey) -> str:
    model, version, feature, role = key
    return f"{role} {feature!r} of {model!r}" + (f" version {version!r}" if version else "")
