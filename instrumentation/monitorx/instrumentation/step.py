"""
A function of any kind as one inference: plain, coroutine, generator or asynchronous generator.

Generators run in steps, and between two of them the caller's own code runs. So the inference is current only during a
step, and lasts from the first one to the end, whether that is exhaustion, an exception, or being closed.
"""

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial
from typing import Any

from monitorx.instrumentation.inference import Inference
from monitorx.instrumentation.patch import Function
from monitorx.instrumentation.telemetry import active

# Any, below: arguments, items and results of a function of somebody else's.

# Takes the arguments of a call, as a tuple and a dict, and `is_current` as `Emitter.start` does; raises nothing.
Start = Callable[..., Inference | None]


def way_of(function: object) -> Callable[[Function, Start], Function]:
    """Which of the four below *function* needs; what they make is of the same kind."""
    if inspect.isasyncgenfunction(function):
        return of_async_generator
    if inspect.isgeneratorfunction(function):
        return of_generator
    if inspect.iscoroutinefunction(function):
        return of_coroutine
    return of_function


def of_function(function: Function, start: Start) -> Function:
    """Each call is an inference."""

    def call(*args: Any, **kwargs: Any) -> Any:
        inference = None
        try:
            inference = start(args, kwargs)
            result = function(*args, **kwargs)
            _stop(inference)
        except BaseException as error:
            _fail(inference, error)
            raise
        return result

    return call


def of_coroutine(function: Function, start: Start) -> Function:
    """Each awaited call is an inference."""

    async def call(*args: Any, **kwargs: Any) -> Any:
        inference = None
        try:
            inference = start(args, kwargs)
            result = await function(*args, **kwargs)
            _stop(inference)
        except BaseException as error:
            _fail(inference, error)
            raise
        return result

    return call


def of_generator(function: Function, start: Start) -> Function:
    """Each run through the items is an inference; what is sent or thrown in arrives."""

    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        inference = start(args, kwargs, is_current=False)
        generator = function(*args, **kwargs)
        step = partial(next, generator)
        while True:
            try:
                with active(inference):
                    item = step()
            except StopIteration as end:
                _stop(inference)
                return end.value
            except BaseException as error:
                _fail(inference, error)
                raise
            try:
                sent = yield item
            except GeneratorExit:
                _close(inference, generator)
                raise
            except BaseException as error:  # noqa: BLE001 - thrown in by the caller, it is passed on
                step = partial(generator.throw, error)
            else:
                step = partial(generator.send, sent)

    return call


def of_async_generator(function: Function, start: Start) -> Function:
    """The same for asynchronous generators."""

    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        inference = start(args, kwargs, is_current=False)
        generator = function(*args, **kwargs)
        step = partial(anext, generator)
        while True:
            try:
                with active(inference):
                    item = await step()
            except StopAsyncIteration:
                _stop(inference)
                return
            except BaseException as error:
                _fail(inference, error)
                raise
            try:
                sent = yield item
            except GeneratorExit:
                await _aclose(inference, generator)
                raise
            except BaseException as error:  # noqa: BLE001 - thrown in by the caller, it is passed on
                step = partial(generator.athrow, error)
            else:
                step = partial(generator.asend, sent)

    return call


def _close(inference: Inference | None, generator: Generator[Any, Any, Any]) -> None:
    try:
        with active(inference):
            generator.close()
    except BaseException as error:
        _fail(inference, error)
        raise
    _stop(inference)


async def _aclose(inference: Inference | None, generator: AsyncGenerator[Any, Any]) -> None:
    try:
        with active(inference):
            await generator.aclose()
    except BaseException as error:
        _fail(inference, error)
        raise
    _stop(inference)


def _stop(inference: Inference | None) -> None:
    if inference is not None:
        inference.stop()


def _fail(inference: Inference | None, error: BaseException) -> None:
    if inference is not None:
        inference.fail(error)
