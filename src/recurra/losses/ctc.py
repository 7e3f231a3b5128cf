"""CTC: the loss of a sequence of labels whose places in time are not known (Graves et al., 2006)."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import ops, saving
from recurra._arrays import as_integers
from recurra._checks import expected
from recurra.losses.base import SUM_OVER_BATCH_SIZE, LossFunctionWrapper
from recurra.losses.functions import logsumexp

BLANK = 0  # the class that stands for no label, and pads the rows of y_true


def _moved(states: np.ndarray, steps: int) -> np.ndarray:
    """Returns log probabilities moved to the right by so many states, impossible ones moved in."""
    moved = np.full_like(states, -np.inf)
    if steps > 0:
        moved[:, steps:] = states[:, :-steps]
    else:
        moved[:, :steps] = states[:, -steps:]
    return moved


class _Lattice:
    """All ways to write the labels with blanks between them: S = 2 L + 1 states, blank at even ones.

    Attributes:
        path: int (N, S), the class of each state.
        emitted: (N, T, S), the log probability of each state's class at each time step.
        jumps: bool (N, S), whether a state is also reached from two before: over a blank, to another label.
        last: int (N,), the last state of each row; padding lies behind it.
    """

    def __init__(self, y_true: Any, y_pred: np.ndarray):
        labels = np.asarray(y_true)
        if labels.ndim != 2 or y_pred.ndim != 3:
            what = "y_true of shape (batch, labels) and y_pred of shape (batch, timesteps, classes)"
            raise ValueError(expected("ctc", what, f"{labels.shape} and {y_pred.shape}"))
        labels = as_integers(labels, "y_true of ctc")
        outside = (labels < 0) | (labels >= y_pred.shape[-1])
        if outside.any():
            hint = f"rows of labels are padded with {BLANK}"
            raise ValueError(expected("ctc", f"labels from 0 to {y_pred.shape[-1] - 1}", labels[outside][0], hint))
        self.path = np.full((len(labels), 2 * labels.shape[1] + 1), BLANK)
        self.path[:, 1::2] = labels
        log_probabilities = ops.activation_forward("log_softmax", np.ascontiguousarray(y_pred))
        self.probabilities = ops.exp(log_probabilities)
        self.emitted = np.take_along_axis(log_probabilities, self.path[:, None, :], axis=2)
        self.jumps = np.zeros(self.path.shape, bool)
        self.jumps[:, 3::2] = labels[:, 1:] != labels[:, :-1]
        self.last = 2 * (labels != BLANK).sum(axis=1)

    def forward(self) -> np.ndarray:
        """Returns alpha (N, T, S): log probability of all that came before and at a step, ending in a state."""
        alpha = np.full_like(self.emitted, -np.inf)
        alpha[:, 0, :2] = self.emitted[:, 0, :2]
        for t in range(1, alpha.shape[1]):
            before = alpha[:, t - 1]
            jumped = np.where(self.jumps, _moved(before, 2), -np.inf)
            alpha[:, t] = logsumexp(np.stack([before, _moved(before, 1), jumped]), axis=0) + self.emitted[:, t]
        return alpha

    def backward(self) -> np.ndarray:
        """Returns beta (N, T, S): log probability of all that comes after a step, from a state."""
        beta = np.full_like(self.emitted, -np.inf)
        beta[:, -1] = np.where(self._ends(), 0, -np.inf)
        for t in range(beta.shape[1] - 2, -1, -1):
            after = beta[:, t + 1] + self.emitted[:, t + 1]
            jumped = _moved(np.where(self.jumps, after, -np.inf), -2)
            beta[:, t] = logsumexp(np.stack([after, _moved(after, -1), jumped]), axis=0)
        return beta

    def _ends(self) -> np.ndarray:
        states = np.arange(self.path.shape[1])
        last = self.last[:, None]
        return (states == last) | ((states == last - 1) & (last > 0))

    def log_likelihood(self, alpha: np.ndarray) -> np.ndarray:
        """Returns the log probability (N,) of the labels."""
        return logsumexp(np.where(self._ends(), alpha[:, -1], -np.inf).T, axis=0)


def _gradient(y_true: Any, y_pred: Any) -> np.ndarray:
    y_pred = np.asarray(y_pred)
    lattice = _Lattice(y_true, y_pred)
    alpha = lattice.forward()
    total = lattice.log_likelihood(alpha)
    possible = np.isfinite(total)[:, None, None]
    visits = ops.exp(
        np.where(possible, alpha + lattice.backward() - np.where(possible, total[:, None, None], 0), -np.inf)
    )
    dy = lattice.probabilities * possible
    rows, steps = np.indices(visits.shape[:2])
    for state in range(visits.shape[2]):
        dy[rows, steps, lattice.path[:, state, None]] -= visits[:, :, state]
    return dy.astype(y_pred.dtype)


def ctc(y_true: Any, y_pred: Any) -> np.ndarray:
    """Minus the log probability of the labels, over all their places in time.

    Args:
        y_true: Whole numbers (N, L), classes from 1 on, padded by 0 at the end.
        y_pred: Logits (N, T, C); class 0 is the blank.

    Returns:
        (N,); infinite where T is too short for the labels (they do not train).

    Raises:
        ValueError: For other shapes.
    """
    y_pred = np.asarray(y_pred)
    lattice = _Lattice(y_true, y_pred)
    return -lattice.log_likelihood(lattice.forward()).astype(y_pred.dtype)


ctc.gradient = _gradient  # type: ignore[attr-defined]


@saving.builtin("keras.losses")
class CTC(LossFunctionWrapper):
    """See `ctc`.

    Args:
        reduction, name, dtype: As in `Loss`.
    """

    def __init__(self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str | None = "ctc", dtype: Any = None):
        super().__init__(ctc, reduction, name, dtype)

    def reduced_axes(self, y_pred: np.ndarray) -> tuple[int, ...]:
        return (1, 2)
