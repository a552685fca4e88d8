"""The store's writer: a commit is tried until it is written, and what stands in the way is said."""

from collections.abc import Mapping

from monitorx.backend.errors import StorageError
from monitorx.backend.storage.store import Commit
from monitorx.backend.writer import Writer
from tests.support.server import until


class Stubborn:
    """A store that refuses the first writes."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.written: list[int] = []

    def write(self, commit: Commit) -> None:
        if self.refusals:
            self.refusals -= 1
            raise StorageError("the disk is full")
        self.written.append(commit.position)


def ignore(name: str, labels: Mapping[str, str], value: float) -> None:
    """Where nobody counts."""


def commit(position: int) -> Commit:
    return Commit(position, (), (), (), {})


def test_commits_are_written_in_order_each_once() -> None:
    store = Stubborn(0)
    seen: list[int] = []
    writer = Writer(store, position=0, on_written=lambda each: seen.append(each.position), count=ignore)
    writer.start()

    for position in (1, 2, 3):
        assert writer.wait_until_free(5)
        writer.hand_over(commit(position))

    assert writer.stop(5)
    assert (store.written, seen, writer.position, writer.trouble) == ([1, 2, 3], [1, 2, 3], 3, "")


def test_a_commit_that_fails_is_tried_again() -> None:
    store = Stubborn(1)
    writer = Writer(store, position=0, on_written=lambda _: None, count=ignore)
    writer.start()

    writer.hand_over(commit(1))
    trouble = until(lambda: writer.trouble)
    until(writer.is_free)

    assert trouble == "the disk is full"
    assert (store.written, writer.trouble) == ([1], "")
    assert writer.stop(5)


def test_a_store_that_never_takes_it_does_not_hold_up_the_stop() -> None:
    writer = Writer(Stubborn(10**9), position=0, on_written=lambda _: None, count=ignore)
    writer.start()
    writer.hand_over(commit(1))

    assert not writer.stop(0.1)
    assert writer.position == 0


def test_stop_is_safe_twice_and_before_start() -> None:
    writer = Writer(Stubborn(0), position=7, on_written=lambda _: None, count=ignore)

    assert writer.stop(0.1)
    assert writer.stop(0.1)
