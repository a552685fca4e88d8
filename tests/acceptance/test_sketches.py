"""Ten replicas of a script, each with a part of the data: what they send adds up to what one would have sent."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pytest

from monitorx.sketch import Anchor, ExponentialHistogram, choose, fold
from tests.support.server import Server

pytestmark = pytest.mark.needs("sklearn")

REPLICAS, ROWS = 10, 400  # rows of each replica
Floats = npt.NDArray[np.float64]
Sketches = dict[tuple[str, str, Anchor], ExponentialHistogram]

# The first calls have a row each, the rest comes in one batch; both ways lead to the same counts. The reference speaks
# of one of the two models.
SCRIPT = """
import sys
import numpy as np
from sklearn.tree import DecisionTreeClassifier
from monitorx.instrumentation import name_model

rows = np.load(sys.argv[1])
known = np.load(sys.argv[2])
for name in ("fitted", "free"):
    model = DecisionTreeClassifier(max_depth=4, random_state=0).fit(known, known[:, 1] > 3)
    name_model(model, name=name, version="3")
    for row in rows[:100]:
        model.predict_proba(row[None])
    model.predict_proba(rows[100:].tolist())
"""


def data(seed: int, rows: int) -> Floats:
    """A large offset, a long tail, small integers, and zeros with gaps."""
    random = np.random.default_rng(seed)
    price, amount = random.normal(5_000, 2, rows), random.lognormal(1, 1, rows)
    count = random.poisson(2, rows).astype(float)
    share = np.where(random.random(rows) < 0.6, 0.0, random.random(rows))
    share[random.random(rows) < 0.05] = np.nan
    return np.column_stack([price, amount, count, share])


@pytest.fixture(scope="module")
def everything() -> dict[tuple[str, str], Floats]:
    """All values of each feature, by name and role."""
    from sklearn.tree import DecisionTreeClassifier

    known, rows = data(99, 500), np.concatenate([data(seed, ROWS) for seed in range(REPLICAS)])
    model = DecisionTreeClassifier(max_depth=4, random_state=0).fit(known, known[:, 1] > 3)
    inputs = {(f"x{number}", "input"): rows[:, number] for number in range(rows.shape[1])}
    return {**inputs, ("predict_proba", "score"): model.predict_proba(rows)[:, 1]}


def sent(folder: Path, replicas: int, **environment: str) -> tuple[dict[str, Sketches], dict[str, int]]:
    """By model the sketches of all replicas, added up by feature, role and anchor; and the counters of the features."""
    script, known = folder / "app.py", folder / "known.npy"
    script.write_text(SCRIPT)
    np.save(known, data(99, 500))
    with Server(folder) as server:
        environ = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{server.http}"} | environment
        running = []
        for seed in range(replicas):
            np.save(folder / f"{seed}.npy", data(seed, ROWS))
            command = [sys.executable, str(script), str(folder / f"{seed}.npy"), str(known)]
            running.append(
                subprocess.Popen([sys.executable, "-m", "monitorx.backend.cli", "run", "--", *command], env=environ)
            )
        assert [process.wait(180) for process in running] == [0] * replicas
    with duckdb.connect(str(folder / "data" / "telemetry.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT * FROM sketch WHERE version = '3'")
        columns = [column[0] for column in rows.description]
        merged: dict[str, Sketches] = {"fitted": {}, "free": {}}
        for row in rows.fetchall():
            point = dict(zip(columns, row, strict=True))
            key = point["feature"], point["role"], Anchor(point["center"], point["anchor"])
            empty = ExponentialHistogram(6, zero_threshold=2.0**-6)
            merged[point["model"]].setdefault(key, empty).merge(histogram(point))
        counters = connection.execute(
            "SELECT name, sum(value)::BIGINT FROM metric WHERE name LIKE 'ml.feature%' GROUP BY ALL"
        ).fetchall()
    return merged, dict(counters)


def histogram(point: dict[str, Any]) -> ExponentialHistogram:
    """A row of the store."""
    made = ExponentialHistogram(point["scale"], zero_threshold=point["zero_threshold"])
    made.positive, made.negative = (dict(buckets(point[f"{s}_offset"], point[s])) for s in ("positive", "negative"))
    made.zero_count, made.min, made.max = int(point["zero_count"]), point["min"], point["max"]
    return made


def buckets(offset: int, counts: list[float]) -> Iterator[tuple[int, int]]:
    return ((offset + place, int(count)) for place, count in enumerate(counts or ()) if count)


def counts(made: ExponentialHistogram) -> tuple[object, ...]:
    return made.positive, made.negative, made.zero_count, made.min, made.max


def test_the_merge_of_ten_replicas_is_the_fold_of_all_their_rows(
    tmp_path: Path, everything: dict[tuple[str, str], Floats]
) -> None:
    anchors = {key: choose(values.tolist()) for key, values in everything.items()}
    reference = tmp_path / "reference.json"
    features = [
        {"name": name, "role": role, "center": anchor.center, "scale": anchor.scale, "windows": []}
        for (name, role), anchor in anchors.items()
    ]
    reference.write_text(json.dumps({"model": "fitted", "model_version": "", "features": features}))

    merged, counters = sent(tmp_path, REPLICAS, MONITORX_REFERENCE=str(reference))

    # With a reference, bucket by bucket.
    expected = {(*key, anchors[key]): counts(fold(values, anchors[key])) for key, values in everything.items()}
    assert {key: counts(made) for key, made in merged["fitted"].items()} == expected
    assert counters == {"ml.feature.missing": 2 * int(np.isnan(everything["x3", "input"]).sum())}

    # Without one replicas choose for themselves; what they choose alike is as exact, and no value is lost.
    free = merged["free"]
    received: dict[tuple[str, str], int] = defaultdict(int)
    for (name, role, _), made in free.items():
        received[name, role] += made.count
    assert received == {key: int(np.isfinite(values).sum()) for key, values in everything.items()}
    centers = {key: {anchor.center for *of, anchor in free if tuple(of) == key} for key in everything}
    assert {key: len(found) for key, found in centers.items()} == dict.fromkeys(everything, 1)
    alone = {key: found for key, found in free.items() if sum(other[:2] == key[:2] for other in free) == 1}
    assert {key: counts(made) for key, made in alone.items()} == {
        key: counts(fold(everything[key[0], key[1]], key[2])) for key in alone
    }


def test_switched_off_no_feature_is_sent(tmp_path: Path) -> None:
    assert sent(tmp_path, 1, MONITORX_FEATURES="off") == ({"fitted": {}, "free": {}}, {})
