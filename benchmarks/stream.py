"""How long does one step of a stream take from Python, the state carried along?

    python benchmarks/stream.py [--quick] [--peers PYTHON,...] [--json FILE]

`model.stream().step(x)` on one thread, beside torch's cells and onnxruntime on the graph that recurra exports with
states as inputs and outputs. One feature; n streams are stepped together.
"""

import tempfile

import harness
from libraries.recurra_cases import stream_model_of
from recurra import interop

UNITS = (32, 64, 256)
STREAMS = (1, 64)


def measure(options: harness.Options) -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        cases = []
        for layer in ("LSTM", "GRU", "SimpleRNN"):
            for units in UNITS[:1] if options.quick else UNITS:
                onnx = f"{folder}/{layer}-{units}.onnx"
                interop.save_onnx(stream_model_of(layer, units), onnx, streaming=True)
                cases += [{"layer": layer, "units": units, "streams": n, "onnx": onnx} for n in STREAMS]
        return harness.take_turns(options, "stream", cases, threads=[1])


def tables(result: dict) -> list[harness.Table]:
    return [harness.side_by_side(result["records"], ["layer", "units", "streams"])]


if __name__ == "__main__":
    harness.main("stream", measure, tables)
