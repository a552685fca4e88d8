"""
onnxruntime: `InferenceSession.run`, `run_with_iobinding` and `run_with_ort_values`.

What a session serves is read once, from the session itself: its name is an explicit one, or that of the model file or
the graph; its kind is what the model's own `ml.model.kind` says, or what the shapes of its inputs look like.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

from monitorx.instrumentation.boundary import is_ours
from monitorx.instrumentation.identity import Identity, file_stem, identity_of
from monitorx.instrumentation.inference import Inference, Kind, Model, Subject
from monitorx.instrumentation.instrumentor import Instrumentor
from monitorx.instrumentation.patch import Function, Patches, Wrap
from monitorx.instrumentation.telemetry import Emitter, outermost
from monitorx.semconv.attributes import ML_MODEL_KIND

MODULE: Final = "onnxruntime.capi.onnxruntime_inference_collection"
UNVERSIONED: Final = (0, (1 << 63) - 1)  # what onnx files say that were given no version
IMAGE_CHANNELS: Final = (1, 3, 4)
SMALLEST_IMAGE: Final = 8  # pixels a side; below it three dimensions are more likely a series

DEVICES: Final = dict.fromkeys(("cuda", "tensorrt", "nvtensorrtrtx", "rocm", "migraphx", "dml"), "gpu")

Arguments = tuple[Any, ...]  # Any: the method's own arguments
ShapeOf = Callable[[Arguments, dict[str, Any]], Sequence[int]]


class OnnxRuntimeInstrumentor(Instrumentor):
    """Watches sessions of onnxruntime."""

    libraries = tuple(
        f"onnxruntime{flavour} >= 1.15"  # distributions that install the same module
        for flavour in ("", "-gpu", "-directml", "-openvino", "-rocm")
    )

    def _patch(self, patches: Patches, emitter: Emitter) -> None:
        subjects = _Subjects()

        def hook(module: Any) -> None:  # Any: a module of the library
            for owner in module.InferenceSession.__mro__[:-1]:
                for name, shape_of in SHAPES.items():
                    patches.replace(owner, name, _observed(patches, emitter, subjects, shape_of))

        patches.on_import(MODULE, hook)


class _Subjects:
    """What each session serves: read once, and anew when the session is given another name."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[object, tuple[Identity | None, Subject]] = WeakKeyDictionary()

    def of(self, session: Any) -> Subject:  # Any: a session of the library
        identity = identity_of(session)
        known = self._known.get(session)
        if known is not None and known[0] == identity:
            return known[1]
        subject = _subject(session, identity)
        self._known[session] = (identity, subject)
        return subject


def _observed(patches: Patches, emitter: Emitter, subjects: _Subjects, shape_of: ShapeOf) -> Wrap:
    def wrap(function: Function) -> Function:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:  # Any: the method's own arguments and result
            if not patches.active or outermost() is None:
                return function(self, *args, **kwargs)
            inference = None
            try:
                inference = _start(emitter, subjects, self)
                result = function(self, *args, **kwargs)
                if inference is not None:
                    _note_shape(inference, shape_of, args, kwargs)
                    inference.stop()
            except BaseException as error:
                if inference is not None:
                    inference.fail(error)
                raise
            return result

        return call

    return wrap


def _start(emitter: Emitter, subjects: _Subjects, session: object) -> Inference | None:
    try:
        subject = subjects.of(session)
    except Exception as error:
        if not is_ours(error):
            raise
        emitter.count_fault("reading what a session serves")
        return None
    return emitter.start(subject)


def _note_shape(inference: Inference, shape_of: ShapeOf, args: Arguments, kwargs: dict[str, Any]) -> None:
    try:
        shape = tuple(int(size) for size in shape_of(args, kwargs))
        inference.input_shape = shape or None
        inference.batch_size = shape[0] if shape else 1
    except Exception as error:  # inputs without a shape (strings, sequences, maps) have no batch size
        if not is_ours(error):
            raise


def _of_feed(args: Arguments, kwargs: dict[str, Any]) -> Sequence[int]:
    feed = args[1] if len(args) > 1 else kwargs.get("input_feed") or kwargs["input_dict_ort_values"]
    shape: Any = next(iter(feed.values())).shape  # Any: an OrtValue has a method, an array an attribute
    return shape() if callable(shape) else shape  # type: ignore[no-any-return]  # see above


def _of_binding(args: Arguments, kwargs: dict[str, Any]) -> Sequence[int]:
    # A binding does not show its inputs; its outputs have the same first dimension.
    binding = args[0] if args else kwargs["iobinding"]
    return binding.get_outputs()[0].shape()[:1]  # type: ignore[no-any-return]  # an object of the library


def _subject(session: Any, identity: Identity | None) -> Subject:  # Any: a session of the library
    meta = session.get_modelmeta()
    version = None if meta.version in UNVERSIONED else str(meta.version)
    stem = file_stem(getattr(session, "_model_path", None))
    name, version = identity or (stem or meta.graph_name or type(session).__name__, version)
    cls = type(session)
    return Subject(
        "predict",
        Model(name, version, f"{cls.__module__}.{cls.__qualname__}"),
        _kind(meta.custom_metadata_map, [node.shape for node in session.get_inputs()]),
        framework="onnxruntime",
        framework_version=getattr(sys.modules.get("onnxruntime"), "__version__", None),
        device=_device(session.get_providers()),
    )


def _kind(metadata: Mapping[str, str], shapes: Sequence[Sequence[object]]) -> Kind:
    """The model's own word, where its metadata has one; else vision where an input looks like images."""
    word = metadata.get(ML_MODEL_KIND)
    if word in tuple(Kind):
        return Kind(word)
    return Kind.VISION if any(looks_like_images(shape) for shape in shapes) else Kind.TABULAR


def looks_like_images(shape: Sequence[object]) -> bool:
    """
    Whether an input of *shape* takes images: four dimensions, or three of which one is colour and no side is tiny.

    >>> looks_like_images(["N", 3, 224, 224]), looks_like_images([224, 224, 3]), looks_like_images(["N", 64])
    (True, True, False)
    """
    if len(shape) != 3:
        return len(shape) == 4
    for channels, sides in ((shape[0], shape[1:]), (shape[2], shape[:2])):
        if channels in IMAGE_CHANNELS and all(isinstance(side, int) and side >= SMALLEST_IMAGE for side in sides):
            return True
    return False


def _device(providers: Sequence[str]) -> str:
    first = providers[0].removesuffix("ExecutionProvider").lower() if providers else "cpu"
    return DEVICES.get(first, first)


SHAPES: Final[dict[str, ShapeOf]] = {
    "run": _of_feed,
    "run_with_ort_values": _of_feed,
    "run_with_iobinding": _of_binding,
}
