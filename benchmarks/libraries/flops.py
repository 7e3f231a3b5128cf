"""Floating point operations of the products, the rest not counted."""

GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}


def of_step(layer: str, shape: list[int]) -> float:
    """Forward and backward of a model's first layer: products with x twice (x needs no gradient), with h thrice."""
    n, t, d, h = shape
    return 2.0 * n * t * GATES[layer] * h * (2 * d + 3 * h)


def of_sgemm(layer: str, shape: list[int]) -> float:
    """The product that numpy_cases.sgemm times."""
    n, t, _, h = shape
    return 2.0 * n * t * GATES[layer] * h * h
