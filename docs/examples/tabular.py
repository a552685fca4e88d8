"""
A gradient-boosting classifier of tumours, trained at the start and then asked row by row and in small batches.

    pip install scikit-learn
    python docs/examples/tabular.py --seconds 30 --rate 20

With --feed it is asked about rows that another system sends, each line a JSON array of rows.

    echo '[[17.99, 10.38, 122.8, 1001, ...]]' | python docs/examples/tabular.py --feed -
"""

import argparse
import fileinput
import itertools
import json
import time
from collections.abc import Iterator

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import train_test_split


def fed(file: str) -> Iterator[np.ndarray]:
    """The rows of each line of *file*, as it comes."""
    with fileinput.input(file) as lines:
        for line in lines:
            yield np.array(json.loads(line), dtype=float)


def repeated(rows: np.ndarray, rate: float) -> Iterator[np.ndarray]:
    """*rows* over and over, *rate* times a second one or some of them."""
    asked = 0
    for size in itertools.cycle((1, 1, 1, 1, 8)):
        started = time.monotonic()
        first = asked % (len(rows) - size)
        yield rows[first : first + size]
        asked += size
        time.sleep(max(0.0, 1 / rate - (time.monotonic() - started)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Classify tumours with gradient boosting.")
    parser.add_argument("--seconds", type=float, default=30, help="how long to go on")
    parser.add_argument("--rate", type=float, default=20, help="predictions a second, without --feed")
    parser.add_argument("--feed", metavar="FILE", help="where rows to ask about come from; - is standard input")
    arguments = parser.parse_args()

    rows, classes = load_breast_cancer(return_X_y=True)
    rows_train, rows_new, classes_train, _ = train_test_split(rows, classes, random_state=0)
    model = GradientBoostingClassifier(n_estimators=30, random_state=0)
    model.fit(rows_train, classes_train)

    asked = malignant = calls = 0
    ends = time.monotonic() + arguments.seconds
    for batch in fed(arguments.feed) if arguments.feed else repeated(rows_new, arguments.rate):
        if time.monotonic() >= ends:
            break
        malignant += int((model.predict(batch) == 0).sum())
        asked += len(batch)
        calls += 1
    print(f"{calls} calls, {asked} rows, {malignant} of them malignant")


if __name__ == "__main__":
    main()
