"""
A classifier of handwritten digits (8x8 images), trained at the start, saved as ONNX and served by onnxruntime.

    pip install scikit-learn onnx onnxruntime
    python docs/examples/vision.py --seconds 30 --rate 10
"""

import argparse
import itertools
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier


def digits_network(classifier: MLPClassifier) -> onnx.ModelProto:
    """The trained network as an ONNX graph that takes images, (n, 1, 8, 8), and gives a probability for each digit."""
    (weights_1, weights_2), (bias_1, bias_2) = classifier.coefs_, classifier.intercepts_
    constants = {"w1": weights_1, "b1": bias_1, "w2": weights_2, "b2": bias_2}
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["images"], ["pixels"], axis=1),
            helper.make_node("Gemm", ["pixels", "w1", "b1"], ["hidden"]),
            helper.make_node("Relu", ["hidden"], ["active"]),
            helper.make_node("Gemm", ["active", "w2", "b2"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ],
        "digits",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 1, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(network)
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description="Classify handwritten digits with onnxruntime.")
    parser.add_argument("--seconds", type=float, default=30, help="how long to go on")
    parser.add_argument("--rate", type=float, default=10, help="batches a second")
    arguments = parser.parse_args()

    pixels, digits = load_digits(return_X_y=True)
    pixels = (pixels / 16).astype(np.float32)
    classifier = MLPClassifier(hidden_layer_sizes=(32,), tol=0.02, n_iter_no_change=3, random_state=0)
    classifier.fit(pixels[:1500], digits[:1500])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "digits.onnx"
        onnx.save(digits_network(classifier), file)
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    images, truth = pixels[1500:].reshape(-1, 1, 8, 8), digits[1500:]
    asked = right = calls = 0
    ends = time.monotonic() + arguments.seconds
    for size in itertools.cycle((1, 4)):
        started = time.monotonic()
        if started >= ends:
            break
        first = asked % (len(images) - size)
        (probabilities,) = session.run(None, {"images": images[first : first + size]})
        right += int((np.argmax(probabilities, axis=1) == truth[first : first + size]).sum())
        asked += size
        calls += 1
        time.sleep(max(0.0, 1 / arguments.rate - (time.monotonic() - started)))
    print(f"{calls} calls, {asked} images, {right} read right")


if __name__ == "__main__":
    main()
