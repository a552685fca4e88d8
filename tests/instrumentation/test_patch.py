import functools
import gc
import sys
import types
import weakref

import pytest

from monitorx.instrumentation.patch import Function, Patches, unwrapped


def louder(function: Function) -> Function:
    return lambda *args: function(*args) + "!"


class Speaker:
    def say(self) -> str:
        return "hi"

    @classmethod
    def name(cls) -> str:
        return cls.__name__

    @staticmethod
    def word() -> str:
        return "word"

    number = 3


def test_functions_and_class_and_static_methods_are_replaced_and_restored() -> None:
    before = dict(vars(Speaker))
    patches = Patches()

    assert [patches.replace(Speaker, name, louder) for name in ("say", "name", "word")] == [True] * 3
    assert (Speaker().say(), Speaker.name(), Speaker.word()) == ("hi!", "Speaker!", "word!")
    patches.undo()

    assert dict(vars(Speaker)) == before


def test_what_is_no_function_or_not_its_own_is_left_alone() -> None:
    class Child(Speaker):
        pass

    patches = Patches()

    assert not patches.replace(Speaker, "number", louder)
    assert not patches.replace(Speaker, "absent", louder)
    assert not patches.replace(Child, "say", louder)


def test_replacing_twice_is_replacing_once() -> None:
    patches = Patches()

    assert (patches.replace(Speaker, "say", louder), patches.replace(Speaker, "say", louder)) == (True, False)
    assert Speaker().say() == "hi!"
    patches.undo()


def test_what_somebody_else_put_over_ours_stays() -> None:
    class Mine:
        def say(self) -> str:
            return "hi"

    patches = Patches()
    patches.replace(Mine, "say", louder)
    ours = Mine.say

    @functools.wraps(ours)
    def theirs(self: Mine) -> str:
        return ours(self) + "?"

    del theirs.__dict__["_monitorx_original"]  # what wraps() copied along
    Mine.say = theirs  # type: ignore[method-assign]
    patches.undo()

    assert Mine.say is theirs
    assert unwrapped(ours) is not ours


def test_patching_keeps_no_class_alive() -> None:
    patches = Patches()

    def make() -> "weakref.ref[type]":
        class Passing(Speaker):
            def say(self) -> str:
                return super().say()

        patches.replace(Passing, "say", louder)
        return weakref.ref(Passing)

    reference = make()
    gc.collect()

    assert reference() is None


def test_a_library_is_patched_when_it_is_imported_and_its_import_never_fails(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("mx_late_a", "mx_late_b"):
        (tmp_path / f"{name}.py").write_text("def say(): return 'hi'\n")  # type: ignore[operator]
    patches, gone = Patches(), Patches()
    patches.on_import("mx_late_a", lambda module: patches.replace(module, "say", louder))
    patches.on_import("mx_late_b", lambda module: module.absent)
    gone.on_import("mx_late_a", lambda module: gone.replace(module, "say", louder))
    gone.undo()

    import mx_late_a  # type: ignore[import-not-found]
    import mx_late_b  # type: ignore[import-not-found]

    assert (mx_late_a.say(), mx_late_b.say()) == ("hi!", "hi")
    assert "mx_late_b could not be instrumented" in caplog.text
    patches.undo()
    assert mx_late_a.say() == "hi"


def test_a_library_that_is_imported_already_is_patched_at_once() -> None:
    module = types.ModuleType("mx_present")
    module.say = lambda: "hi"  # type: ignore[attr-defined]
    sys.modules["mx_present"] = module
    patches = Patches()

    patches.on_import("mx_present", lambda found: patches.replace(found, "say", louder))

    assert module.say() == "hi!"
    del sys.modules["mx_present"]
