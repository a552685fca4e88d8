"""
A function of any kind as one inference: plain, coroutine, generator or asynchronous generator.

Generators run in steps, and between two of them the caller's own code runs. So the inference is current only during a
step, and lasts from the first one to the end, whether that is exhaustion, an exception, or being closed.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial
from typing import Any

from monitorx.instrumentation.inference import Inference, Subject
from monitorx.instrumentation.patch import Function
from monitorx.instrumentation.telemetry import Emitter, active

# Any, below: arguments, items and results of a function of somebody else's.


def of_function(function: Function, subject: Subject, emitter: Callable[[], Emitter]) -> Function:
    """Each call is an inference."""

    def call(*args: Any, **kwargs: Any) -> Any:
        inference = None
        try:
            inference = emitter().start(subject)
            result = function(*args, **kwargs)
            _stop(inference)
        except BaseException as error:
            _fail(inference, error)
            raise
        return result

    return call


def of_coroutine(function: Function, subject: Subject, emitter: Callable[[], Emitter]) -> Function:
    """Each awaited call is an inference."""

    async def call(*args: Any, **kwargs: Any) -> Any:
        inference = None
        try:
            inference = emitter().start(subject)
            result = await function(*args, **kwargs)
            _stop(inference)
        except BaseException as error:
            _fail(inference, error)
            raise
        return result

    return call


def of_generator(function: Function, subject: Subject, emitter: Callable[[], Emitter]) -> Function:
    """Each run through the items is an inference; what is sent or thrown in arrives."""

    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        inference = emitter().start(subject, is_current=False)
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


def of_async_generator(function: Function, subject: Subject, emitter: Callable[[], Emitter]) -> Function:
    """The same for asynchronous generators."""

    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        inference = emitter().start(subject, is_current=False)
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
