"""Without a file nobody can connect, and somebody has to say so."""

import structlog

from monitorx.backend.open_files import Watch, is_one_left
from tests.support.reception import Counts


def test_it_is_said_once_that_no_file_is_left_and_once_that_there_are_again() -> None:
    left = iter([True, False, False, False, True, True, False])
    counts = Counts()
    watch = Watch(512, counts, lambda: next(left))

    with structlog.testing.capture_logs() as logs:
        for _ in range(7):
            watch.look()

    none_left = {
        "event": "no open file is left: new connections are closed, and writes may fail; "
        "allow the process more of them",
        "log_level": "error",
        "limit": 512,
    }
    again = {"event": "there are open files to be had again", "log_level": "warning"}
    assert logs == [none_left, again, none_left]
    assert counts.sums == {("monitorx_files_exhausted_total",): 4}


def test_a_process_with_files_left_has_one() -> None:
    assert is_one_left()
