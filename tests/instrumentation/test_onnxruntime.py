from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitorx.instrumentation import name_model
from monitorx.instrumentation.inference import Kind
from monitorx.instrumentation.vision.onnxruntime import OnnxRuntimeInstrumentor, looks_like_images
from tests.support.watch import Watch, watched

pytestmark = [pytest.mark.needs("onnxruntime"), pytest.mark.needs("sklearn")]


def identity_model(shape: list[int | str], *, version: int = 0, metadata: dict[str, str] | None = None) -> bytes:
    """An ONNX file whose output is its input."""
    from onnx import TensorProto, helper

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "echo", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.model_version = version
    helper.set_model_props(model, metadata or {})
    return bytes(model.SerializeToString())


def session(model: bytes | str) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


@pytest.fixture
def watch() -> Iterator[Watch]:
    yield from watched(OnnxRuntimeInstrumentor())


def test_a_span_says_what_was_run(watch: Watch) -> None:
    import onnxruntime

    session(identity_model(["N", 3, 8, 8], version=4)).run(None, {"x": np.zeros((2, 3, 8, 8), dtype=np.float32)})

    assert [(span["name"], span["attributes"]) for span in watch.spans] == [
        (
            "predict echo",
            {
                "ml.operation.name": "predict",
                "ml.model.name": "echo",
                "ml.model.version": "4",
                "ml.model.kind": "vision",
                "ml.model.class": "onnxruntime.capi.onnxruntime_inference_collection.InferenceSession",
                "ml.framework.name": "onnxruntime",
                "ml.framework.version": onnxruntime.__version__,
                "ml.device.type": "cpu",
                "ml.request.batch.size": 2,
                "ml.request.input.shape": (2, 3, 8, 8),
            },
        )
    ]


def test_the_name_is_explicit_or_the_files_or_the_graphs(watch: Watch, tmp_path: Path) -> None:
    path = tmp_path / "digits.onnx"
    path.write_bytes(identity_model(["N", 4]))
    row = {"x": np.zeros((1, 4), dtype=np.float32)}
    from_file = session(str(path))

    session(identity_model(["N", 4])).run(None, row)
    from_file.run(None, row)
    name_model(from_file, name="reader", version="7")
    from_file.run(None, row)

    assert [(i.model.name, i.model.version) for i in watch.inferences] == [
        ("echo", None),
        ("digits", None),
        ("reader", "7"),
    ]


def test_bindings_and_values_are_seen(watch: Watch) -> None:
    import onnxruntime

    model, rows = session(identity_model(["N", 4])), np.zeros((5, 4), dtype=np.float32)
    binding = model.io_binding()
    binding.bind_cpu_input("x", rows)
    binding.bind_output("y")
    model.run_with_iobinding(binding)
    model.run_with_ort_values(None, {"x": onnxruntime.OrtValue.ortvalue_from_numpy(rows)})

    assert watch.calls == [("predict", "echo", 5, None)] * 2


@pytest.mark.parametrize(
    ("metadata", "kind"),
    [
        pytest.param({}, Kind.TABULAR, id="by shape"),
        pytest.param({"ml.model.kind": "vision"}, Kind.VISION, id="its own word"),
        pytest.param({"ml.model.kind": "song"}, Kind.TABULAR, id="an unknown word"),
    ],
)
def test_a_models_own_word_on_its_kind_counts(watch: Watch, metadata: dict[str, str], kind: Kind) -> None:
    session(identity_model(["N", 64], metadata=metadata)).run(None, {"x": np.zeros((1, 64), dtype=np.float32)})

    assert [i.kind for i in watch.inferences] == [kind]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        pytest.param(["N", 3, 224, 224], True, id="batch of images"),
        pytest.param([224, 224, 3], True, id="one image, colours last"),
        pytest.param([1, 28, 28], True, id="one grey image"),
        pytest.param(["N", 8, 8], False, id="series"),
        pytest.param(["N", 64], False, id="rows"),
        pytest.param([], False, id="a number"),
    ],
)
def test_images_have_four_dimensions_or_three_with_colours(shape: list[object], expected: bool) -> None:
    assert looks_like_images(shape) is expected
