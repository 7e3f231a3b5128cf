"""How long does a prediction take from Python: of one sequence, of a batch, by small and large layers?

    python benchmarks/predict.py [--quick] [--peers PYTHON,...] [--json FILE]

One recurrent layer and Dense(1): `model.predict` of recurra and Keras, torch under `inference_mode`, JAX jitted, and
onnxruntime on the graph that recurra exports.
"""

import tempfile

import harness
from libraries.recurra_cases import model_of
from recurra import interop

SHAPES = [(1, 24, 1, 64), (256, 24, 1, 64), (1, 128, 64, 256), (32, 24, 64, 1024)]


def measure(options: harness.Options) -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        cases = []
        for layer in ("LSTM", "GRU", "SimpleRNN"):
            for shape in SHAPES[:2] if options.quick else SHAPES:
                onnx = f"{folder}/{len(cases)}.onnx"
                interop.save_onnx(model_of(layer, *shape[1:]), onnx)
                cases.append({"layer": layer, "shape": list(shape), "onnx": onnx})
        return harness.take_turns(options, "predict", cases, harness.thread_counts())


def tables(result: dict) -> list[harness.Table]:
    return [harness.side_by_side(result["records"], ["layer", "shape", "threads"])]


if __name__ == "__main__":
    harness.main("predict", measure, tables)
