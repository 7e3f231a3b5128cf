"""The formulas of optimizers, in place."""

from __future__ import annotations

import numpy as np

from recurra.ops.reference.primitives import Array


def adam_update(
    w: Array,
    g: Array,
    m: Array,
    v: Array,
    *,
    learning_rate: float,
    step: int,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    vhat: Array | None = None,
) -> None:
    """Step 1, 2, 3, ... of Adam (Kingma and Ba, 2015) on flat arrays, in place; with `vhat`, of AMSGrad."""
    rest_1, rest_2 = (1 - float(np.float32(beta)) ** step for beta in (beta_1, beta_2))  # rounded as in Keras
    alpha = learning_rate * np.sqrt(rest_2) / rest_1
    m += (g - m) * (1 - beta_1)
    v += (g * g - v) * (1 - beta_2)
    if vhat is not None:
        np.maximum(vhat, v, out=vhat)
    w -= alpha * m / (np.sqrt(v if vhat is None else vhat) + epsilon)


def rmsprop_update(
    w: Array,
    g: Array,
    v: Array,
    *,
    learning_rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
    m: Array | None = None,
    average: Array | None = None,
) -> None:
    """RMSprop (Hinton, 2012) on flat arrays, in place; with `m` of momentum, centered with an `average`."""
    v *= rho
    v += (1 - rho) * (g * g)
    spread = v
    if average is not None:
        average *= rho
        average += (1 - rho) * g
        spread = v - average * average
    move = learning_rate * g / np.sqrt(spread + epsilon)
    if m is not None:
        m *= momentum
        m += move
        move = m
    w -= move


def sgd_update(
    w: Array, g: Array, *, learning_rate: float, momentum: float, nesterov: bool, m: Array | None = None
) -> None:
    """Gradient descent on flat arrays, in place; with `m` of momentum (Sutskever et al., 2013)."""
    move = -learning_rate * g
    if m is not None:
        m *= momentum
        m += move
        move = move + momentum * m if nesterov else m
    w += move
