"""Embedding: rows of a table, picked by whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import constraints, initializers, ops, regularizers, saving
from recurra._arrays import as_integers
from recurra._checks import expected, positive_int
from recurra.layers.base import Layer


@saving.builtin("keras.layers")
class Embedding(Layer):
    """y = embeddings[x] (https://keras.io/api/layers/core_layers/embedding).

    Args:
        input_dim: Number of rows: inputs lie in 0 ... input_dim - 1.
        output_dim: Length of a row.
        embeddings_initializer: First values of the table.
        embeddings_regularizer: Penalty on the table.
        embeddings_constraint: Applied to the table after each update.
        mask_zero: Whether 0 means padding: the output's mask is x != 0.
        weights: First value of the table, or a list of it.
        activity_regularizer: Penalty on the output.
        input_length: Ignored, as in Keras.

    Call:
        inputs: Whole numbers, (N, ...).

    Returns:
        (N, ..., output_dim).

    Raises:
        TypeError: If `input_dim` or `output_dim` is not a number.
        ValueError: If a size is not positive, or for an input outside the table.

    >>> recurra.layers.Embedding(10, 4)(np.array([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    _absent_options = {"quantization_config": None}

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        *,
        activity_regularizer: Any = None,
        input_length: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.input_dim = positive_int("Embedding", "input_dim", input_dim)
        self.output_dim = positive_int("Embedding", "output_dim", output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = bool(mask_zero)
        self.supports_masking = self.mask_zero
        if weights is not None:
            self.build()
            self.set_weights(weights if isinstance(weights, list) else [weights])

    def build(self, input_shape: Any = None) -> None:
        self.embeddings = self._add_configured_weight("embeddings", (self.input_dim, self.output_dim))

    def _cast_inputs(self, inputs: Any) -> np.ndarray:
        return as_integers(inputs, "Embedding")

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = inputs if inputs.dtype == np.int64 else self._cast_inputs(inputs)
        outside = (rows < 0) | (rows >= self.input_dim)
        if outside.any():
            what = f"whole numbers from 0 to {self.input_dim - 1}"
            raise ValueError(expected("Embedding", what, int(rows[outside][0]), "input_dim is the largest plus one"))
        return self.embeddings.value[rows], rows

    def backward(self, doutputs: np.ndarray, cache: np.ndarray) -> None:
        variable = self.embeddings
        if variable.grad is None:
            return
        rows, parts = cache.ravel(), doutputs.reshape(-1, self.output_dim)
        ops.add_rows(variable.grad, parts, rows)
        if variable.regularizer is None:  # its gradient is dense, and makes the sum so
            variable.sparse.append((rows, parts))

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return plan.add_embedding(self.embeddings, self.mask_zero)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, self.output_dim)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Returns x != 0 with mask_zero, else None."""
        return np.asanyarray(inputs) != 0 if self.mask_zero else None

    def _config_names(self) -> list[str]:
        return [name for name in super()._config_names() if name not in ("weights", "input_length")]
