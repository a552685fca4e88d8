import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitorx.instrumentation import name_model
from monitorx.instrumentation.features import Intake, Packed
from monitorx.instrumentation.tabular.sklearn import SklearnInstrumentor, sizes
from tests.support.watch import Watch, watched

pytestmark = pytest.mark.needs("sklearn")

ROWS = np.arange(40.0).reshape(20, 2)
LABELS = (ROWS[:, 0] > 20).astype(int)


@pytest.fixture
def watch() -> Iterator[Watch]:
    yield from watched(SklearnInstrumentor())


def test_a_span_says_what_was_called(watch: Watch) -> None:
    import sklearn
    from sklearn.linear_model import LogisticRegression

    LogisticRegression().fit(ROWS, LABELS).predict_proba(ROWS[:3])

    assert [(span["name"], span["attributes"]) for span in watch.spans] == [
        (
            "predict_proba LogisticRegression",
            {
                "ml.operation.name": "predict_proba",
                "ml.model.name": "LogisticRegression",
                "ml.model.kind": "tabular",
                "ml.model.class": "sklearn.linear_model._logistic.LogisticRegression",
                "ml.framework.name": "scikit-learn",
                "ml.framework.version": sklearn.__version__,
                "ml.task.type": "classification",
                "ml.request.batch.size": 3,
                "ml.request.feature.count": 2,
            },
        )
    ]


def test_every_operation_is_seen(watch: Watch) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.mixture import GaussianMixture
    from sklearn.preprocessing import StandardScaler

    model = LogisticRegression().fit(ROWS, LABELS)
    model.predict(X=ROWS)
    model.predict_proba(ROWS)
    model.decision_function(ROWS.tolist())
    GaussianMixture().fit(ROWS).score_samples(ROWS)
    StandardScaler().fit(ROWS).transform(ROWS)

    assert watch.calls == [
        ("predict", "LogisticRegression", 20, None),
        ("predict_proba", "LogisticRegression", 20, None),
        ("decision_function", "LogisticRegression", 20, None),
        ("score_samples", "GaussianMixture", 20, None),
        ("transform", "StandardScaler", 20, None),
    ]


def test_a_pipeline_a_search_and_a_forest_in_threads_are_one_inference_each(watch: Watch) -> None:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LABELS).predict(ROWS)
    GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=2).fit(ROWS, LABELS).predict(ROWS)
    RandomForestClassifier(n_estimators=4, n_jobs=2).fit(ROWS, LABELS).predict_proba(ROWS)

    assert [call[:2] for call in watch.calls] == [
        ("predict", "Pipeline"),
        ("predict", "GridSearchCV"),
        ("predict_proba", "RandomForestClassifier"),
    ]


@pytest.mark.parametrize("jobs", [1, 2])
def test_training_and_cross_validation_are_no_inferences(watch: Watch, jobs: int) -> None:
    import joblib
    from sklearn.cluster import KMeans
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict, cross_val_score
    from sklearn.preprocessing import StandardScaler

    with joblib.parallel_backend("threading", n_jobs=jobs):
        cross_val_score(LogisticRegression(), ROWS, LABELS, cv=2)
        cross_val_predict(LogisticRegression(), ROWS, LABELS, cv=2)
    StandardScaler().fit_transform(ROWS)
    KMeans(2, n_init=1).fit_predict(ROWS)

    assert watch.calls == []


def test_an_applications_own_estimator_is_seen_and_its_super_calls_are_not(watch: Watch) -> None:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.linear_model import LogisticRegression

    class Careful(LogisticRegression):
        def predict(self, X: Any) -> Any:
            return super().predict(X)

    class Double(TransformerMixin, BaseEstimator):
        def fit(self, X: Any, y: Any = None) -> "Double":
            return self

        def transform(self, X: Any) -> Any:
            return X * 2

    Careful().fit(ROWS, LABELS).predict(ROWS)
    doubled = Double().fit(ROWS).set_output(transform="default") if hasattr(Double(), "set_output") else Double()
    np.testing.assert_array_equal(doubled.transform(ROWS), ROWS * 2)

    assert [call[:2] for call in watch.calls] == [("predict", "Careful"), ("transform", "Double")]


def test_uninstrumenting_restores_classes_made_meanwhile() -> None:
    from sklearn.base import BaseEstimator, TransformerMixin

    def transform(self: object, X: Any) -> Any:
        return X

    before = dict(vars(BaseEstimator))
    plain = type("Plain", (TransformerMixin, BaseEstimator), {"transform": transform})
    instrumentor = SklearnInstrumentor()
    instrumentor.instrument(emitter=Watch().emitter)
    made = type("Made", (TransformerMixin, BaseEstimator), {"transform": transform})
    seen = vars(made)["transform"]
    instrumentor.uninstrument()

    assert seen is not vars(made)["transform"]
    assert vars(made)["transform"].__code__ is vars(plain)["transform"].__code__
    assert vars(made)["transform"].__wrapped__ is transform
    assert dict(vars(BaseEstimator)) == before


def test_a_class_that_cannot_be_described_predicts_as_before() -> None:
    from sklearn.linear_model import LinearRegression

    class Nowhere(LinearRegression):  # type: ignore[misc]  # the library has no types
        pass

    Nowhere.__module__ = None
    watch, instrumentor = Watch(), SklearnInstrumentor()
    model = Nowhere().fit(ROWS, LABELS)
    plain = model.predict(ROWS)

    instrumentor.instrument(emitter=watch.emitter)
    seen = model.predict(ROWS)
    instrumentor.uninstrument()

    np.testing.assert_array_equal(seen, plain)
    assert watch.inferences == []
    assert watch.emitter.faults > 0


def test_conditional_methods_stay_conditional(watch: Watch) -> None:
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC

    assert hasattr(make_pipeline(LogisticRegression()), "predict_proba")
    assert not hasattr(make_pipeline(LinearRegression()), "predict_proba")
    assert not hasattr(SVC(), "predict_proba")
    with pytest.raises(AttributeError, match="This 'Pipeline' has no attribute 'predict_proba'"):
        make_pipeline(LinearRegression()).predict_proba  # noqa: B018 - asking is the test


def test_clones_copies_and_parameters_stay_as_they_were(watch: Watch) -> None:
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=2.0).fit(ROWS, LABELS)
    name_model(model, name="fraud")
    attributes = dict(vars(model))

    assert clone(model).get_params() == model.get_params()
    assert dict(vars(model)) == attributes
    for same in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(same.predict(ROWS), model.predict(ROWS))
    assert {call[1] for call in watch.calls} == {"fraud", "LogisticRegression"}


def test_an_explicit_name_and_version_win_over_the_file(watch: Watch, tmp_path: Path) -> None:
    import joblib
    from sklearn.linear_model import LogisticRegression

    joblib.dump(LogisticRegression().fit(ROWS, LABELS), tmp_path / "churn.joblib")
    model = joblib.load(tmp_path / "churn.joblib")
    model.predict(ROWS)
    with (tmp_path / "churn.joblib").open("rb") as file:
        joblib.load(file).predict(ROWS)
    name_model(model, name="fraud", version="3")
    model.predict(ROWS)

    assert [(i.model.name, i.model.version) for i in watch.inferences] == [
        ("churn", None),
        ("churn", None),
        ("fraud", "3"),
    ]


def test_a_name_must_say_something_and_be_forgettable() -> None:
    with pytest.raises(ValueError, match="name is ''"):
        name_model(object(), name="")
    with pytest.raises(TypeError, match="a int cannot be named"):
        name_model(3, name="three")


def test_a_name_is_forgotten_with_its_model() -> None:
    from monitorx.instrumentation import identity

    class Model:
        pass

    model = Model()
    name_model(model, name="fraud")
    key = id(model)
    assert identity.identity_of(model) == ("fraud", None)
    del model

    assert key not in identity._explicit


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(np.zeros((3, 2)), (3, 2), id="array"),
        pytest.param(np.zeros(3), (3, None), id="one dimension"),
        pytest.param([[1, 5, 7], [2, 6, 8]], (2, 3), id="list"),
        pytest.param(["a text", "another"], (2, None), id="texts"),
        pytest.param([], (0, None), id="empty list"),
        pytest.param(5, (None, None), id="no rows"),
        pytest.param(None, (None, None), id="nothing"),
        pytest.param(np.float64(1), (None, None), id="scalar"),
    ],
)
def test_sizes_are_rows_and_columns_where_there_are_any(data: object, expected: tuple[int | None, int | None]) -> None:
    assert sizes(data) == expected


def observed(watch: Watch) -> list[tuple[object, object, object]]:
    """Rows, names and output that each inference carries, as plain values."""

    def plain(value: Any) -> object:
        if isinstance(value, Packed):
            return np.frombuffer(value.data, value.dtype).reshape(value.shape).tolist()
        return value.tolist() if hasattr(value, "tolist") else value

    return [(plain(i.rows), plain(i.names), plain(i.output)) for i in watch.inferences]


def test_without_a_sink_that_wants_them_nothing_is_copied(watch: Watch) -> None:
    from sklearn.linear_model import LinearRegression

    LinearRegression().fit(ROWS, LABELS).predict(ROWS[:1])

    assert observed(watch) == [(None, None, None)]


def test_rows_and_numeric_outputs_are_carried(watch: Watch) -> None:
    from sklearn.linear_model import LinearRegression, LogisticRegression

    watch.buffer.observe(Intake())
    LogisticRegression().fit(ROWS, LABELS).predict(ROWS[:1])
    predicted = LinearRegression().fit(ROWS, LABELS).predict(X=ROWS[:1])

    assert observed(watch) == [([[0.0, 1.0]], None, None), ([[0.0, 1.0]], None, predicted.tolist())]


@pytest.mark.needs("pandas")
def test_scores_are_carried_and_names_are_the_models(watch: Watch) -> None:
    import pandas
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    watch.buffer.observe(Intake())
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(pandas.DataFrame(ROWS, columns=["age", "sum"]), LABELS)
    with pytest.warns(UserWarning, match="feature names"):  # scikit-learn's, of rows without names
        scores = model.decision_function(ROWS[:2])

    assert observed(watch) == [(ROWS[:2].tolist(), ["age", "sum"], scores.tolist())]


def test_what_is_carried_is_from_before_the_call(watch: Watch) -> None:
    from sklearn.preprocessing import StandardScaler

    watch.buffer.observe(Intake())
    rows = ROWS.copy()
    StandardScaler(copy=False).fit(ROWS.copy()).transform(rows)
    rows += 5

    assert observed(watch) == [(ROWS.tolist(), None, None)]


def test_a_call_that_fails_carries_nothing(watch: Watch) -> None:
    from sklearn.linear_model import LogisticRegression

    watch.buffer.observe(Intake())
    with pytest.raises(ValueError, match="features"):
        LogisticRegression().fit(ROWS, LABELS).predict(ROWS[:, :1])

    assert observed(watch) == [(None, None, None)]


def test_the_task_is_that_of_the_class_or_of_what_it_wraps(watch: Watch) -> None:
    from sklearn.cluster import KMeans
    from sklearn.ensemble import IsolationForest
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    models: list[Any] = [
        LogisticRegression(),
        make_pipeline(StandardScaler(), LinearRegression()),
        make_pipeline(StandardScaler(), LogisticRegression()),
        GridSearchCV(LinearRegression(), {"fit_intercept": [True]}, cv=2),
        KMeans(2),
        IsolationForest(n_estimators=2),
    ]
    for model in models:
        model.fit(ROWS, LABELS).predict(ROWS)
    StandardScaler().fit(ROWS).transform(ROWS)

    assert [span["attributes"].get("ml.task.type") for span in watch.spans] == [
        "classification",
        "regression",
        "classification",
        "regression",
        "clustering",
        "outlier_detection",
        None,
    ]


def test_a_class_pickled_by_value_loads_where_there_is_no_monitorx(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    write = f"""
import cloudpickle, sys
from monitorx.instrumentation.features import Intake, Packed
from monitorx.instrumentation.tabular.sklearn import SklearnInstrumentor
SklearnInstrumentor().instrument()
from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if
class Mine(BaseEstimator):
    def fit(self, X, y=None): return self
    def predict(self, X): return [7 for _ in X]
    @available_if(lambda self: True)
    def predict_proba(self, X): return [8 for _ in X]
model = Mine().fit(None)
assert model.predict([1]) == [7]
open({str(path)!r}, "wb").write(cloudpickle.dumps(model))
"""
    read = f"""
import pickle, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("monitorx", "wrapt"): raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
model = pickle.load(open({str(path)!r}, "rb"))
print(model.predict([1, 2]), model.predict_proba([1]), "monitorx" in sys.modules)
"""
    run(write)
    assert run(read) == "[7, 7] [8] False\n"


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], env=dict(os.environ), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
