"""PyTorch's side of each question: nn.RNN, nn.LSTM, nn.GRU, fused Adam; cells for streams."""

import contextlib
from collections.abc import Callable

import torch
from torch import nn

from libraries.data import batch

LAYERS = {"SimpleRNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
CELLS = {"SimpleRNN": nn.RNNCell, "LSTM": nn.LSTMCell, "GRU": nn.GRUCell}
without_gradients = contextlib.ExitStack()  # entered once: what entering costs is not the question


def start(threads: int) -> None:
    torch.set_num_threads(threads)


class Net(nn.Module):
    def __init__(self, layer: str, features: int, units: int):
        super().__init__()
        self.recurrent = LAYERS[layer](features, units, batch_first=True)
        self.dense = nn.Linear(units, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dense(self.recurrent(x)[0][:, -1])


def train_step(layer: str, shape: list[int]) -> Callable[[], object]:
    x, y = (torch.from_numpy(array) for array in batch(shape))
    net = Net(layer, *shape[2:])
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def predict(layer: str, shape: list[int], onnx: str) -> Callable[[], object]:
    x, _ = batch(shape)
    without_gradients.enter_context(torch.inference_mode())
    net = Net(layer, *shape[2:]).eval()
    return lambda: net(torch.from_numpy(x)).numpy()


def stream(layer: str, units: int, streams: int, onnx: str) -> Callable[[], object]:
    x, _ = batch([streams, 1, 1, units])
    x = x[:, 0]
    without_gradients.enter_context(torch.inference_mode())
    cell = CELLS[layer](1, units).eval()
    zeros = torch.zeros(streams, units)
    state = (zeros, zeros) if layer == "LSTM" else zeros

    def call() -> object:
        nonlocal state
        state = cell(torch.from_numpy(x), state)
        return (state[0] if layer == "LSTM" else state).numpy()

    return call
