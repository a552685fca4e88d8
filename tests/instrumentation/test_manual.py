import asyncio
import inspect
from collections.abc import AsyncGenerator, Generator

import pytest

from monitorx.instrumentation import inference, monitor_inference
from tests.support.watch import Watch


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_a_decorated_function_is_an_inference_and_stays_itself(watch: Watch) -> None:
    @monitor_inference("fraud", "tabular", version="2", operation="score", emitter=watch.emitter)
    def score(row: list[float], *, scale: int = 1) -> float:
        """Sum."""
        return sum(row) * scale

    assert score([1.0, 2.0], scale=2) == 6.0
    assert watch.calls == [("score", "fraud", None, None)]
    assert (score.__name__, score.__doc__) == ("score", "Sum.")
    assert str(inspect.signature(score)) == "(row: list[float], *, scale: int = 1) -> float"


def test_an_exception_passes_untouched(watch: Watch) -> None:
    error = KeyError("x")

    @monitor_inference("fraud", "tabular", emitter=watch.emitter)
    def fail() -> None:
        raise error

    with pytest.raises(KeyError) as raised:
        fail()

    assert raised.value is error
    assert watch.calls == [("predict", "fraud", None, "KeyError")]


@pytest.mark.parametrize(
    ("model_type", "kind"),
    [("llm", "llm"), ("vision", "vision"), ("cv", "vision"), ("tabular", "tabular")],
)
def test_model_types_are_kinds(watch: Watch, model_type: str, kind: str) -> None:
    monitor_inference("m", model_type, emitter=watch.emitter)(lambda: None)()

    assert [i.kind for i in watch.inferences] == [kind]


@pytest.mark.parametrize("use", [monitor_inference, inference])
def test_a_bad_model_type_or_name_is_said_where_it_is_written(use: type) -> None:
    with pytest.raises(ValueError, match=r"model_type is 'video'; it must be one of llm, vision, cv, tabular"):
        use("m", "video")
    with pytest.raises(ValueError, match=r"model_id is ''; it must be a name"):
        use("", "llm")


def test_a_coroutine_is_an_inference_until_it_ends(watch: Watch) -> None:
    @monitor_inference("chat", "llm", emitter=watch.emitter)
    async def chat(text: str) -> str:
        await asyncio.sleep(0)
        if not text:
            raise ValueError
        return text

    async def both() -> list[str | BaseException]:
        return await asyncio.gather(chat("a"), chat(""), return_exceptions=True)

    first, second = asyncio.run(both())

    assert inspect.iscoroutinefunction(chat)
    assert (first, type(second)) == ("a", ValueError)
    assert sorted(watch.calls, key=str) == [("predict", "chat", None, "ValueError"), ("predict", "chat", None, None)]


def test_a_cancelled_coroutine_is_an_error(watch: Watch) -> None:
    @monitor_inference("chat", "llm", emitter=watch.emitter)
    async def chat() -> None:
        await asyncio.Event().wait()

    async def cancel() -> None:
        task = asyncio.create_task(chat())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())

    assert watch.calls == [("predict", "chat", None, "asyncio.exceptions.CancelledError")]


def tokens(watch: Watch) -> object:
    @monitor_inference("chat", "llm", emitter=watch.emitter)
    def stream(count: int) -> Generator[int | str, str, str]:
        for number in range(count):
            sent = yield number
            if sent:
                yield sent.upper()
        return "end"

    return stream


def test_a_generator_is_an_inference_until_it_is_exhausted(watch: Watch) -> None:
    stream = tokens(watch)
    assert inspect.isgeneratorfunction(stream)

    def whole() -> Generator[object, str, None]:
        result = yield from stream(2)
        yield result

    assert list(whole()) == [0, 1, "end"]
    assert watch.calls == [("predict", "chat", None, None)]


def test_what_is_sent_into_a_generator_arrives(watch: Watch) -> None:
    generator = tokens(watch)(2)  # type: ignore[operator]

    assert [next(generator), generator.send("hi"), next(generator)] == [0, "HI", 1]
    generator.close()
    assert watch.calls == [("predict", "chat", None, None)]


def test_what_is_thrown_into_a_generator_ends_it_as_an_error(watch: Watch) -> None:
    generator = tokens(watch)(2)  # type: ignore[operator]
    next(generator)
    error = OSError()

    with pytest.raises(OSError) as raised:
        generator.throw(error)

    assert raised.value is error
    assert watch.calls == [("predict", "chat", None, "OSError")]


def test_between_the_items_of_a_generator_the_callers_own_calls_count(watch: Watch) -> None:
    inner = monitor_inference("inner", "tabular", emitter=watch.emitter)(lambda: None)

    @monitor_inference("outer", "llm", emitter=watch.emitter)
    def stream() -> Generator[int, None, None]:
        inner()
        yield 1

    for _ in stream():
        inner()

    assert [call[1] for call in watch.calls] == ["inner", "outer"]


def test_a_generator_that_nobody_starts_is_no_inference(watch: Watch) -> None:
    tokens(watch)(1).close()  # type: ignore[operator]

    assert watch.calls == []


def test_an_asynchronous_generator_is_an_inference_until_its_end(watch: Watch) -> None:
    closed = []

    @monitor_inference("chat", "llm", emitter=watch.emitter)
    async def stream(count: int) -> AsyncGenerator[int, None]:
        try:
            for number in range(count):
                if number == 3:
                    raise OSError
                yield number
        finally:
            closed.append(count)

    async def use() -> list[int]:
        whole = [item async for item in stream(2)]
        early = stream(3)
        await anext(early)
        await early.aclose()
        with pytest.raises(OSError):
            [item async for item in stream(4)]
        return whole

    assert inspect.isasyncgenfunction(stream)
    assert asyncio.run(use()) == [0, 1]
    assert closed == [2, 3, 4]
    assert [call[3] for call in watch.calls] == [None, None, "OSError"]


def test_a_block_is_an_inference_and_may_say_its_batch_size(watch: Watch) -> None:
    with inference("fraud", "tabular", emitter=watch.emitter) as call:
        call.batch_size = 12
    with pytest.raises(OSError), inference("fraud", "tabular", emitter=watch.emitter):
        raise OSError

    assert watch.calls == [("predict", "fraud", 12, None), ("predict", "fraud", None, "OSError")]


def test_an_asynchronous_block_is_an_inference(watch: Watch) -> None:
    async def use() -> None:
        async with inference("chat", "llm", batch_size=1, emitter=watch.emitter):
            await asyncio.sleep(0)

    asyncio.run(use())

    assert watch.calls == [("predict", "chat", 1, None)]


def test_a_block_within_itself_is_one_inference(watch: Watch) -> None:
    call = inference("fraud", "tabular", emitter=watch.emitter)

    with call, call:
        pass

    assert watch.calls == [("predict", "fraud", None, None)]
