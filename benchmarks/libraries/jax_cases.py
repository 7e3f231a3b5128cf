"""JAX's side: the products with x hoisted out of a `lax.scan` over time, everything jitted, Adam written out.

Arrays inside are time-major, (T, N, features); GRU is the form with `reset_after`, as Keras and torch have it.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from libraries.data import batch
from libraries.flops import GATES


def start(threads: int) -> None:
    """XLA takes as many threads as the process has cores."""


def weights_of(layer: str, features: int, units: int) -> dict[str, jax.Array]:
    rng = np.random.default_rng(0)
    width = GATES[layer] * units

    def normal(*shape: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=shape) / np.sqrt(shape[0]), jnp.float32)

    return {
        "kernel": normal(features, width),
        "recurrent": normal(units, width),
        "bias": jnp.zeros(width),
        "recurrent_bias": jnp.zeros(width),  # of GRU alone
        "dense": normal(units, 1),
        "dense_bias": jnp.zeros(1),
    }


def cell(layer: str, weights: dict, zx: jax.Array, state: tuple) -> tuple:
    """One step from the product with x, `zx` (N, G H)."""
    h = state[0]
    zh = h @ weights["recurrent"]
    if layer == "SimpleRNN":
        return (jnp.tanh(zx + zh),)
    if layer == "LSTM":
        i, f, g, o = jnp.split(zx + zh, 4, axis=-1)
        c = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c
    xz, xr, xh = jnp.split(zx, 3, axis=-1)
    hz, hr, hh = jnp.split(zh + weights["recurrent_bias"], 3, axis=-1)
    z = jax.nn.sigmoid(xz + hz)
    return (z * h + (1 - z) * jnp.tanh(xh + jax.nn.sigmoid(xr + hr) * hh),)


def output(layer: str, weights: dict, x: jax.Array) -> jax.Array:
    """Layer and Dense(1) over x (T, N, D)."""
    zx = x @ weights["kernel"] + weights["bias"]
    zeros = jnp.zeros((x.shape[1], weights["recurrent"].shape[0]))
    state = (zeros, zeros) if layer == "LSTM" else (zeros,)
    state, _ = jax.lax.scan(lambda state, z: (cell(layer, weights, z, state), None), state, zx)
    return state[0] @ weights["dense"] + weights["dense_bias"]


def train_step(layer: str, shape: list[int]) -> Callable[[], object]:
    x, y = batch(shape)
    x, y = jnp.asarray(np.ascontiguousarray(x.swapaxes(0, 1))), jnp.asarray(y)
    tree_map = jax.tree_util.tree_map

    def update(weights: dict, m: dict, v: dict, count: jax.Array, x: jax.Array, y: jax.Array) -> tuple:
        loss, gradients = jax.value_and_grad(lambda w: jnp.mean((output(layer, w, x) - y) ** 2))(weights)
        count = count + 1
        m = tree_map(lambda m, g: 0.9 * m + 0.1 * g, m, gradients)
        v = tree_map(lambda v, g: 0.999 * v + 0.001 * g * g, v, gradients)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        weights = tree_map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, m, v)
        return weights, m, v, count, loss

    update = jax.jit(update, donate_argnums=(0, 1, 2, 3))
    weights = weights_of(layer, *shape[2:])
    state = (weights, tree_map(jnp.zeros_like, weights), tree_map(jnp.zeros_like, weights), jnp.zeros((), jnp.int32))

    def step() -> float:
        nonlocal state
        *state, loss = update(*state, x, y)
        return float(loss)

    return step


def predict(layer: str, shape: list[int], onnx: str) -> Callable[[], object]:
    x, _ = batch(shape)
    weights = weights_of(layer, *shape[2:])
    call = jax.jit(lambda weights, x: output(layer, weights, jnp.swapaxes(x, 0, 1)))
    return lambda: np.asarray(call(weights, x))
