"""The key of an alert: a short digest of its labels."""

from collections.abc import Mapping
from hashlib import blake2b


def fingerprint(labels: Mapping[str, str]) -> str:
    """
    Sixteen hexadecimal digits, the same for the same labels in any order, in any process.

    A label without a value is the same as no label. The bytes 0xff and 0xfe never occur in UTF-8, so no two sets of
    labels run together.

    >>> fingerprint({"model": "fraud", "alertname": "Slow"}) == fingerprint({"alertname": "Slow", "model": "fraud"})
    True
    """
    digest = blake2b(digest_size=8)
    for name in sorted(labels):
        if labels[name]:
            digest.update(name.encode("utf-8", "surrogatepass") + b"\xff")
            digest.update(labels[name].encode("utf-8", "surrogatepass") + b"\xfe")
    return digest.hexdigest()
