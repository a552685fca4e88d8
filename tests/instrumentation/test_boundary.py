"""What an application raises from a handler of signals comes out wherever we are; a fault of our own does not."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from monitorx.instrumentation.boundary import is_ours
from monitorx.instrumentation.manual import monitor_inference
from tests.support.interrupt import assert_it_comes_out_of_each_line, raise_time_is_up
from tests.support.watch import Watch


class Handler:
    def method(self, number: int, frame: object) -> None:
        raise_time_is_up(number, frame)

    def __call__(self, number: int, frame: object) -> None:
        self.method(number, frame)


@pytest.fixture(autouse=True)
def handlers_stay() -> Iterator[None]:
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


def deep_inside(function: Callable[[], object]) -> Exception:
    try:
        for _ in range(2):
            function()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    "handler",
    [raise_time_is_up, Handler().method, Handler(), partial(raise_time_is_up)],
    ids=["function", "method", "object", "partial"],
)
def test_what_a_handler_of_signals_raises_is_the_applications(handler: Any) -> None:
    signal.signal(signal.SIGUSR1, handler)

    assert not is_ours(deep_inside(lambda: signal.raise_signal(signal.SIGUSR1)))


def test_a_fault_is_ours_and_an_interrupt_is_not() -> None:
    assert is_ours(deep_inside(lambda: 1 / 0))
    assert not is_ours(KeyboardInterrupt())
    assert not is_ours(SystemExit())


def function() -> int:
    return 1


async def coroutine() -> int:
    return 1


def generator() -> Iterator[int]:
    yield 1
    yield 2


@pytest.mark.parametrize(
    ("function", "run"),
    [
        pytest.param(function, int, id="function"),
        pytest.param(coroutine, asyncio.run, id="coroutine"),
        pytest.param(generator, list, id="generator"),
    ],
)
def test_wherever_it_comes_it_comes_out_and_the_next_call_is_counted(
    function: Callable[[], object], run: Callable[[Any], object]
) -> None:
    watch = Watch()
    watched = monitor_inference("fraud", "tabular", emitter=watch.emitter)(function)

    assert_it_comes_out_of_each_line(watch, lambda: run(watched()))
