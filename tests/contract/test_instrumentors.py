"""What every instrumentor keeps, on the real libraries."""

import inspect
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation

from monitorx.instrumentation.features import Intake
from monitorx.instrumentation.instrumentor import Instrumentor
from monitorx.instrumentation.tabular.sklearn import SklearnInstrumentor
from monitorx.instrumentation.vision.onnxruntime import OnnxRuntimeInstrumentor
from tests.support.interrupt import assert_it_comes_out_of_each_line
from tests.support.watch import Watch

ROWS = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0]], dtype=np.float32)
LABELS = np.array([0, 0, 1, 1])


@dataclass(frozen=True)
class Case:
    """A library: its instrumentor, a model, one call of it, a call that fails, and the function that is replaced."""

    instrumentor: type[Instrumentor]
    load: Callable[[], Any]
    call: Callable[[Any], Any]
    fail: Callable[[Any], Any]
    function: Callable[[Any], Any]


def classifier() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(ROWS, LABELS)


def session() -> Any:
    import onnxruntime
    from skl2onnx import to_onnx

    return onnxruntime.InferenceSession(to_onnx(classifier(), ROWS[:1]).SerializeToString())


CASES = [
    pytest.param(
        Case(
            SklearnInstrumentor,
            classifier,
            lambda model: model.predict(ROWS),
            lambda model: model.predict(ROWS[:, :1]),
            lambda model: type(model).predict,
        ),
        marks=pytest.mark.needs("sklearn"),
        id="sklearn",
    ),
    pytest.param(
        Case(
            OnnxRuntimeInstrumentor,
            session,
            lambda model: model.run(None, {"X": ROWS})[0],
            lambda model: model.run(None, {"X": ROWS[:, :1]}),
            lambda model: type(model).run,
        ),
        marks=[pytest.mark.needs("sklearn"), pytest.mark.needs("onnxruntime")],
        id="onnxruntime",
    ),
]
pytestmark = pytest.mark.parametrize("case", CASES)


@pytest.fixture
def watch() -> Watch:
    watch = Watch()
    watch.buffer.observe(Intake())  # copies of inputs and outputs must not be noticed, either
    return watch


@pytest.fixture
def model(case: Case) -> Any:
    return case.load()


@pytest.fixture
def instrumentor(case: Case, watch: Watch, model: Any) -> Iterator[Instrumentor]:
    made = case.instrumentor()
    made.instrument(emitter=watch.emitter)
    yield made
    if made.is_instrumented_by_opentelemetry:
        made.uninstrument()


def test_the_result_is_the_same_and_the_call_is_seen(case: Case, watch: Watch, model: Any) -> None:
    plain = case.call(model)
    instrumentor = case.instrumentor()

    instrumentor.instrument(emitter=watch.emitter)
    seen = case.call(model)
    instrumentor.uninstrument()

    np.testing.assert_array_equal(plain, seen)
    assert [call[2:] for call in watch.calls] == [(4, None)]


@pytest.mark.usefixtures("instrumentor")
def test_the_calls_own_exception_passes_and_is_counted(case: Case, watch: Watch, model: Any) -> None:
    with pytest.raises(Exception, match=r"features|dimensions|Got: 1"):
        case.fail(model)

    assert [call[3] is not None for call in watch.calls] == [True]
    assert watch.spans[0]["status"] == "ERROR"


@pytest.mark.usefixtures("instrumentor")
def test_what_a_handler_of_signals_raises_comes_out(case: Case, watch: Watch, model: Any) -> None:
    assert_it_comes_out_of_each_line(watch, lambda: case.call(model))


def test_signature_name_and_documentation_stay(case: Case, watch: Watch, model: Any) -> None:
    def describe() -> tuple[object, ...]:
        function = case.function(model)
        return (
            inspect.signature(function),
            function.__name__,
            function.__qualname__,
            function.__doc__,
            function.__module__,
        )

    plain = describe()
    instrumentor = case.instrumentor()
    instrumentor.instrument(emitter=watch.emitter)
    seen = describe()
    instrumentor.uninstrument()

    assert seen == plain


def test_models_pickle_as_they_did(case: Case, watch: Watch, model: Any) -> None:
    def outcome() -> bytes | str:
        try:
            return pickle.dumps(model)
        except TypeError as error:  # sessions do not pickle
            return str(error)

    plain = outcome()
    instrumentor = case.instrumentor()
    instrumentor.instrument(emitter=watch.emitter)
    case.call(model)
    seen = outcome()
    instrumentor.uninstrument()

    assert seen == plain


def test_uninstrumenting_restores_the_very_functions(case: Case, watch: Watch, model: Any) -> None:
    def functions() -> dict[tuple[type, str], object]:
        return {(cls, name): vars(cls)[name] for cls in type(model).__mro__[:-1] for name in vars(cls)}

    plain = functions()
    instrumentor = case.instrumentor()
    instrumentor.instrument(emitter=watch.emitter)
    held = case.function(model)
    assert functions() != plain
    instrumentor.uninstrument()

    assert functions() == plain
    case.call(model)
    assert held is not case.function(model)
    assert watch.calls == []


def test_it_can_be_put_in_again(case: Case, watch: Watch, model: Any) -> None:
    for _ in range(2):
        instrumentor = case.instrumentor()
        instrumentor.instrument(emitter=watch.emitter)
        case.call(model)
        instrumentor.uninstrument()

    assert len(watch.calls) == 2


@pytest.mark.usefixtures("instrumentor")
def test_a_second_instrument_changes_nothing(case: Case, watch: Watch, model: Any) -> None:
    case.instrumentor().instrument(emitter=watch.emitter)
    case.call(model)

    assert len(watch.calls) == 1


@pytest.mark.usefixtures("instrumentor")
def test_nothing_is_seen_while_suppressed(case: Case, watch: Watch, model: Any) -> None:
    with suppress_instrumentation():
        case.call(model)

    assert (watch.calls, watch.spans) == ([], [])


@pytest.mark.usefixtures("instrumentor")
def test_only_the_outermost_call_is_seen(case: Case, watch: Watch, model: Any) -> None:
    from monitorx.instrumentation import inference

    with inference("outer", "tabular", emitter=watch.emitter):
        case.call(model)

    assert [call[1] for call in watch.calls] == ["outer"]


@pytest.mark.usefixtures("instrumentor")
def test_threads_are_all_seen(case: Case, watch: Watch, model: Any) -> None:
    threads = [threading.Thread(target=lambda: [case.call(model) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(watch.calls) == len(watch.spans) == 80


def test_loading_it_imports_no_library_and_an_absent_one_is_silent(case: Case) -> None:
    library = case.instrumentor.__module__.rsplit(".", 1)[1]
    script = f"""
import importlib, logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout)
import opentelemetry.instrumentation.dependencies as dependencies
cls = getattr(importlib.import_module({case.instrumentor.__module__!r}), {case.instrumentor.__name__!r})
cls().instrument(skip_dep_check=True)
assert cls().is_instrumented_by_opentelemetry
assert {library!r} not in sys.modules
cls().uninstrument()
cls.libraries = ("no-such-library >= 1",)
cls().instrument(skip_dep_check=True)
assert not cls().is_instrumented_by_opentelemetry
"""
    assert run(script) == ""


def test_switched_off_by_the_environment_it_replaces_nothing(case: Case) -> None:
    script = f"""
import importlib
cls = getattr(importlib.import_module({case.instrumentor.__module__!r}), {case.instrumentor.__name__!r})
cls().instrument(skip_dep_check=True)
print(cls().is_instrumented_by_opentelemetry)
"""
    assert run(script, OTEL_SDK_DISABLED="true") == "False\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_sends_its_own_calls_and_only_those(case: Case) -> None:
    script = f"""
import os, sys
from tests.contract import test_instrumentors as contract
from tests.support.interrupt import assert_it_comes_out_of_each_line
from tests.support.watch import Watch
case = contract.CASES[{[c.values[0] for c in CASES].index(case)}].values[0]
watch, model = Watch(), case.load()
case.instrumentor().instrument(emitter=watch.emitter)
case.call(model)
child = os.fork()
case.call(model)
os.write(1, f"{{'parent' if child else 'child'}} {{len(watch.calls)}}\\n".encode())
if child:
    os.waitpid(child, 0)
else:
    os._exit(0)
"""
    assert sorted(run(script).splitlines()) == ["child 1", "parent 2"]


def run(script: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONWARNINGS": "ignore", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
