"""Who waits for the interpreter gets it, and nobody else notices."""

import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from monitorx.instrumentation import buffer as buffers
from monitorx.instrumentation.buffer import FOLD_AT, TURN_AT, Buffer
from monitorx.instrumentation.inference import Inference, Kind, Model, Subject
from monitorx.instrumentation.turn import give_turn
from tests.support.watch import Kept

Sleep = Callable[[float], None]


class QuickKept(Kept):
    is_quick = True


@pytest.fixture
def nobody_asks_for_a_turn() -> Iterator[None]:
    """As it is in a loop of calls into numpy: who waits gets the interpreter only from who lets go of it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1_000)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("nobody_asks_for_a_turn")
def test_a_thread_that_waits_has_its_turn() -> None:
    gate, came = threading.Lock(), []
    gate.acquire()
    thread = threading.Thread(target=lambda: (gate.acquire(), came.append(True)))
    thread.start()
    gate.release()
    assert not came

    for _ in range(10_000):
        give_turn()
        if came:
            break

    assert came
    thread.join()


def in_python(sleep: Sleep) -> Sleep:
    def own(seconds: float) -> None:
        sleep(seconds)

    return own


@pytest.mark.parametrize("is_of_c", [True, False])
def test_a_sleep_that_is_not_pythons_is_left_alone(is_of_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append if is_of_c else in_python(slept.append))

    give_turn()

    assert slept == []


@pytest.mark.parametrize("sink", [Kept, QuickKept])
def test_a_buffer_gives_a_turn_now_and_then(sink: type[Kept], monkeypatch: pytest.MonkeyPatch) -> None:
    appended, turns = 0, []
    monkeypatch.setattr(buffers, "give_turn", lambda: turns.append(appended))
    buffer = Buffer(sink(), fold_every_s=3600)

    for appended in range(FOLD_AT):  # noqa: B007 - read by the lambda
        buffer.append(Inference(Subject("predict", Model("fraud"), Kind.TABULAR), 0))

    assert turns == [TURN_AT, 2 * TURN_AT, 3 * TURN_AT]
