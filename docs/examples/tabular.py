"""
A gradient-boosting classifier of tumours, trained at the start and then asked row by row and in small batches.

    pip install scikit-learn
    python docs/examples/tabular.py --seconds 30 --rate 20
"""

import argparse
import itertools
import time

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import train_test_split


def main() -> None:
    parser = argparse.ArgumentParser(description="Classify tumours with gradient boosting.")
    parser.add_argument("--seconds", type=float, default=30, help="how long to go on")
    parser.add_argument("--rate", type=float, default=20, help="predictions a second")
    arguments = parser.parse_args()

    rows, classes = load_breast_cancer(return_X_y=True)
    rows_train, rows_new, classes_train, classes_new = train_test_split(rows, classes, random_state=0)
    model = GradientBoostingClassifier(n_estimators=30, random_state=0)
    model.fit(rows_train, classes_train)

    asked = right = calls = 0
    ends = time.monotonic() + arguments.seconds
    for size in itertools.cycle((1, 1, 1, 1, 8)):
        started = time.monotonic()
        if started >= ends:
            break
        first = asked % (len(rows_new) - size)
        predicted = model.predict(rows_new[first : first + size])
        right += int((predicted == classes_new[first : first + size]).sum())
        asked += size
        calls += 1
        time.sleep(max(0.0, 1 / arguments.rate - (time.monotonic() - started)))
    print(f"{calls} calls, {asked} rows, {right} predicted right")


if __name__ == "__main__":
    main()
