"""Methods of estimators that are more than one call: coroutines, generators; and those that are called without one."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from monitorx.instrumentation.tabular.sklearn import SklearnInstrumentor
from tests.support.watch import SECOND_NS, Watch, watched

pytestmark = pytest.mark.needs("sklearn")

ROWS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


@pytest.fixture
def watch() -> Iterator[Watch]:
    yield from watched(SklearnInstrumentor())


def ways(watch: Watch) -> dict[str, Any]:
    """An estimator for each kind of method; each reads the emitter's timer twice while it works."""
    from sklearn.base import BaseEstimator

    class Coroutine(BaseEstimator):
        async def predict(self, X: Any) -> Any:
            watch.emitter.timer()
            await asyncio.sleep(0)
            watch.emitter.timer()
            return X

    class Items(BaseEstimator):
        def predict(self, X: Any) -> Iterator[Any]:
            for row in X[:2]:
                watch.emitter.timer()
                yield row

    class LateItems(BaseEstimator):
        async def predict(self, X: Any) -> AsyncIterator[Any]:
            for row in X[:2]:
                watch.emitter.timer()
                yield row

    async def collected() -> list[Any]:
        return [row async for row in LateItems().predict(ROWS)]

    return {
        "Coroutine": lambda: asyncio.run(Coroutine().predict(X=ROWS)),
        "Items": lambda: list(Items().predict(ROWS)),
        "LateItems": lambda: asyncio.run(collected()),
    }


@pytest.mark.parametrize("name", ["Coroutine", "Items", "LateItems"])
def test_an_inference_lasts_to_the_end_of_a_method_in_steps(watch: Watch, name: str) -> None:
    given = ways(watch)[name]()

    assert given == (ROWS if name == "Coroutine" else ROWS[:2])
    assert watch.calls == [("predict", name, 3, None)]
    (span,) = watch.spans
    assert (span["name"], span["attributes"]["ml.request.feature.count"]) == (f"predict {name}", 2)
    assert span["end_ns"] - span["start_ns"] == 3 * SECOND_NS // 2  # the timer is read three times after the start


def test_an_awaited_method_is_the_outermost_call_and_fails_with_its_own_error(watch: Watch) -> None:
    from sklearn.base import BaseEstimator
    from sklearn.preprocessing import Normalizer

    class Remote(BaseEstimator):
        async def predict(self, X: Any) -> Any:
            Normalizer().transform(X)
            await asyncio.sleep(0)
            raise LookupError("nobody is there")

    class Careful(Remote):
        async def predict(self, X: Any) -> Any:
            return await super().predict(X)

    with pytest.raises(LookupError, match="nobody is there"):
        asyncio.run(Careful().predict(ROWS))

    assert watch.calls == [("predict", "Careful", 3, "LookupError")]


def test_a_method_is_of_the_kind_it_was(watch: Watch) -> None:
    from sklearn.base import BaseEstimator

    class Kinds(BaseEstimator):
        async def predict(self, X: Any) -> Any: ...

        def transform(self, X: Any) -> Iterator[Any]:
            yield

        async def score_samples(self, X: Any) -> AsyncIterator[Any]:
            yield

    kinds = Kinds()
    assert inspect.iscoroutinefunction(kinds.predict)
    assert inspect.isgeneratorfunction(kinds.transform)
    assert inspect.isasyncgenfunction(kinds.score_samples)


def test_a_method_that_belongs_to_no_estimator_is_called_as_it_was_written(watch: Watch) -> None:
    from sklearn.base import BaseEstimator

    class Loose(BaseEstimator):
        @staticmethod
        def predict(X: Any = None) -> Any:
            return X

        @staticmethod
        async def transform(X: Any = None) -> Any:
            return X

    assert (Loose.predict(), Loose().predict(X=ROWS), Loose.predict(ROWS)) == (None, ROWS, ROWS)
    assert (asyncio.run(Loose.transform()), asyncio.run(Loose().transform(ROWS))) == (None, ROWS)
    assert watch.calls == []
