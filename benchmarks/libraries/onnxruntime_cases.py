"""onnxruntime's side: the graphs that `recurra.interop.save_onnx` writes, ONNX's own RNN, LSTM and GRU."""

from collections.abc import Callable

import numpy as np
import onnxruntime

from libraries.data import batch

options = onnxruntime.SessionOptions()


def start(threads: int) -> None:
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1


def predict(layer: str, shape: list[int], onnx: str) -> Callable[[], object]:
    x, _ = batch(shape)
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    given = {session.get_inputs()[0].name: x}
    return lambda: session.run(None, given)[0]


def stream(layer: str, units: int, streams: int, onnx: str) -> Callable[[], object]:
    x, _ = batch([streams, 1, 1, units])
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    first, *states = (node.name for node in session.get_inputs())
    given = {first: x} | {name: np.zeros((streams, units), np.float32) for name in states}

    def call() -> object:
        y, *after = session.run(None, given)
        given.update(zip(states, after, strict=True))
        return y

    return call
