"""Lines of layers that native code runs in one call, and streams of them; see native/plan.h."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeGuard

import numpy as np

from recurra import _native
from recurra._arrays import contiguous
from recurra.ops.native import ELEMENTWISE, FUNCTIONS, FUSED, POOLS, loss_of, update_of
from recurra.ops.reference import Activation, Array

_CELLS = ("simple_rnn", "lstm", "gru")  # the names of these three in the order of native/layers
_PADDINGS = ("valid", "same", "causal")
_MERGES = ("concat", "sum", "mul", "ave")
_FLOPS_PER_CALL = 1e9  # of inference: some 20 ms, so that an interrupt is noticed soon; of large layers more
_ROWS_PER_CALL = 128  # at least: each call packs the weights and fetches them at every time step
_MOST_ROWS = 2**24  # whose numbers float32 can tell apart


class Plan:
    """A line of layers with their weights. Each `add_...` returns False for what native code does not know.

    Args:
        dtype: "float32" or "float64", of everything.
        gradients: Whether `backward` will be called: it adds to `variable.grad`.
        copies: Whether to take copies of the weights, so that later changes do not show, and no states of layers.
    """

    def __init__(self, dtype: str, *, gradients: bool = False, copies: bool = False):
        self._native = (_native.PlanFloat32 if dtype == "float32" else _native.PlanFloat64)()
        self.dtype: np.dtype = np.dtype(dtype)
        self._gradients = gradients
        self._copies = copies
        self._bound: list[tuple[Any, Array, Array | None]] = []  # native code points into these arrays
        self._constants: list[Array | None] = []  # and into these
        self._x: Array | None = None
        self._is_empty = True
        self._ids: int | None = None  # where the input is that of an Embedding: how many rows it has
        self.is_masked: bool = False  # whether the output of the last layer has a mask
        self.x_shape: tuple[int | None, ...] | None = None  # of what the next layer is given, if known
        self.rows: int | None = None  # of each batch, if a stateful layer says so
        self._states: list[Array] = []  # the first ones of each stateful layer
        self.draws: list[Callable[[tuple[int, ...]], None]] = []  # what `draw` calls
        self._drawn: dict[tuple[str, int], Any] = {}  # native code points into these arrays
        self._counts = {"factors": 0, "recurrent": 0}  # of layers that draw, as native code counts them

    def recurrent(
        self,
        cell: str,
        variables: Sequence[Any],
        *,
        activation: Activation,
        recurrent_activation: Activation = "sigmoid",
        reset_after: bool = True,
        go_backwards: bool = False,
        zero_output_for_mask: bool = False,
        return_sequences: bool = False,
        states: Sequence[Array] | None = None,
        input_masks: int = 0,
        state_masks: bool = False,
        draw: Callable[[int, int, str], Any] | None = None,
    ) -> Any:
        """Returns a recurrent layer for `add_recurrent` and `add_bidirectional`; None where native code has none.

        Args:
            cell: "simple_rnn", "lstm" or "gru".
            variables: kernel, recurrent_kernel, bias or None.
            activation, recurrent_activation, reset_after, go_backwards, zero_output_for_mask, return_sequences: As of
                `reference.lstm_forward` and its kin.
            states: Of a stateful layer, (N, H) each: a run begins at them and leaves the last ones there.
            input_masks: How many of the input dropout draws: 0, 1, or one for each gate.
            state_masks: Whether it draws some of the state.
            draw: Called with (N, D, dtype) before a run forward in training; returns the cell's `DropoutMasks`.
        """
        if activation not in FUSED or recurrent_activation not in FUSED:
            return None
        kernel, recurrent_kernel, bias, dkernel, drecurrent_kernel, dbias = self._bind(variables)
        arrays = (kernel, recurrent_kernel, bias, dkernel, drecurrent_kernel, dbias)
        functions = (FUNCTIONS[activation], FUNCTIONS[recurrent_activation])
        h = c = None
        if states is not None and not self._copies:
            h, c = (*states, None)[:2]
            if any(h is other for other in self._states):  # a layer that is called twice, and goes on within the run
                return None
            self._states.append(states[0])
            self.rows = len(states[0])
        if draw is not None:
            self.draws.append(partial(self._draw_dropout, self._counts["recurrent"], draw))
        self._counts["recurrent"] += 1
        options = (reset_after, go_backwards, zero_output_for_mask, return_sequences)
        return _native.recurrent_layer(
            _CELLS.index(cell), *arrays, h, c, *functions, *options, input_masks, state_masks
        )

    def add_recurrent(self, layer: Any) -> bool:
        """Adds what `recurrent` returned."""
        if layer is None:
            return False
        self._native.add_recurrent(layer)
        return self._added(layer.return_sequences)

    def add_bidirectional(self, forward: Any, backward: Any, merge_mode: str | None) -> bool:
        """Adds two recurrent layers on one input; sequences of the second are turned round before they are merged."""
        if forward is None or backward is None or merge_mode not in _MERGES:
            return False
        self._native.add_bidirectional(forward, backward, _MERGES.index(merge_mode))
        return self._added(forward.return_sequences)

    def add_dense(self, variables: Sequence[Any], activation: Activation) -> bool:
        """Adds y = activation(x @ kernel + bias); `variables` are kernel (D, units) and bias (units,) or None."""
        if not _is_function_of_dense(activation):
            return False
        features, units = variables[0].shape
        kernel, bias, dkernel, dbias = self._bind(variables)
        function = FUNCTIONS.get(activation, 0)
        self._native.add_dense(features, units, kernel, bias, dkernel, dbias, function, activation == "softmax")
        return self._added()

    def add_activation(self, activation: Activation) -> bool:
        """Adds a function of each element, or softmax along the last axis."""
        features = self._features() if activation == "softmax" else 1
        if features is None or not _is_function_of_dense(activation):
            return False
        function = FUNCTIONS.get(activation, 0)
        self._native.add_dense(features, features, None, None, None, None, function, activation == "softmax")
        return self._added()

    def add_embedding(self, variable: Any, mask_zero: bool) -> bool:
        """Adds the rows of a table (rows, units) by their numbers, as the first layer; see `read`."""
        rows = len(variable.value)
        if not self._is_empty or self._copies or rows > _MOST_ROWS:
            return False
        table, dtable = self._bind([variable])
        self._native.add_embedding(table, dtable, mask_zero)
        self._ids = rows
        self.is_masked = mask_zero
        return self._added()

    def add_masking(self, value: float) -> bool:
        """Adds zeros in place of the timesteps whose features all are `value`: they do not count from here on."""
        features = self._features()
        if features is None:
            return False
        self._native.add_masking(features, value)
        self.is_masked = True
        return self._added()

    def add_convolution(
        self,
        variables: Sequence[Any],
        features: int,
        activation: Activation,
        *,
        stride: int,
        dilation: int,
        padding: str,
    ) -> bool:
        """Adds `convolve` with an activation behind it; `variables` are kernel and bias or None.

        Args:
            variables: kernel (size, D / groups, F), bias (F,) or None.
            features: D, of the input.
            activation: Of each element.
            stride, dilation: As of `convolve`.
            padding: "valid", "same" or "causal".
        """
        if not isinstance(activation, str) or activation not in ELEMENTWISE:
            return False
        kernel, bias, dkernel, dbias = self._bind(variables)
        options = (features, stride, dilation, _PADDINGS.index(padding), FUNCTIONS[activation])
        self._native.add_convolution(kernel, bias, dkernel, dbias, *options)
        return self._added()

    def add_pooling(self, kind: str, size: int, stride: int, padding: str) -> bool:
        """Adds `pool`; a size of 0 takes all steps as one window."""
        features = self._features()
        if features is None:
            return False
        self._native.add_pooling(POOLS.index(kind), features, size, stride, _PADDINGS.index(padding))
        return self._added()

    def add_repeat(self, n: int, *, steps: bool = False) -> bool:
        """Adds each row n times over, or each of its timesteps."""
        features = self._features() if steps else 0
        if features is None:
            return False
        self._native.add_repeat(n, features)
        return self._added()

    def add_rescaling(self, scale: Any, offset: Any) -> bool:
        """Adds y = x * scale + offset, of each feature or of all alike."""
        return self._add_scaling([offset, scale, None], 0.0, back=True)

    def add_standardization(
        self, mean: Any, variance: Any, axes: tuple[int, ...], epsilon: float, *, back: bool
    ) -> bool:
        """Adds y = (x - mean) / deviation or, `back`, x * deviation + mean; deviation = max(sqrt(variance), epsilon).

        Args:
            mean, variance: One for each feature: variables, which may change, or numbers.
            axes: Those of the layer's input that have a mean and a variance.
            epsilon: The smallest deviation.
            back: Whether to go back.
        """
        return self._features(axes) is not None and self._add_scaling([mean, None, variance], epsilon, back=back)

    def _add_scaling(self, numbers: list[Any], epsilon: float, *, back: bool) -> bool:
        """Adds a layer of shift, factor and variance: variables, numbers, or None."""
        features = self._features()
        if features is None:
            return False
        arrays: list[Any] = []
        for given in numbers:
            if given is None or hasattr(given, "value"):
                arrays += self._bind([given])[:1]
                continue
            array = np.asarray(given, self.dtype)
            if array.shape not in ((), (1,), (features,)):
                return False
            arrays.append(np.ascontiguousarray(np.broadcast_to(array, (features,))))
        self._constants += arrays
        shift, factor, variance = arrays
        self._native.add_scaling(features, shift, factor, variance, epsilon, back)
        return self._added()

    def add_normalization(self, variables: Sequence[Any], axes: tuple[int, ...], epsilon: float) -> bool:
        """Adds `normalize_rows`; `variables` are gamma and beta or None, `axes` those of the layer's input."""
        features = self._features(axes)
        if features is None:
            return False
        self._native.add_normalization(features, epsilon, *self._bind(variables))
        return self._added()

    def add_batch_normalization(
        self, variables: Sequence[Any], axes: tuple[int, ...], epsilon: float, momentum: float, of_batch: bool
    ) -> bool:
        """Adds `normalize_columns`.

        Args:
            variables: gamma and beta, each or None, and the mean and variance that are stored.
            axes: Those of the layer's input that have a factor, a mean and a variance.
            epsilon: Added to the variance.
            momentum: How much of the stored ones a step keeps that moves them.
            of_batch: Whether training takes those of the batch, and moves the stored ones.
        """
        features = self._features(axes)
        if features is None or (of_batch and self.is_masked):
            return False
        gamma, beta, mean, variance, dgamma, dbeta, _, _ = self._bind(variables)
        options = (features, epsilon, momentum, of_batch)
        self._native.add_batch_normalization(*options, gamma, beta, mean, variance, dgamma, dbeta)
        return self._added()

    def _features(self, axes: tuple[int, ...] | None = None) -> int | None:
        """Returns the size of the next layer's last axis if it is known and not 0, and `axes` are just that one."""
        if self.x_shape is None or axes not in (None, (len(self.x_shape) - 1,)):
            return None
        return self.x_shape[-1] or None

    def _added(self, keeps_mask: bool = True) -> bool:
        self._is_empty = False
        self.is_masked = self.is_masked and keeps_mask
        return True

    def add_factors(self, draw: Callable[[tuple[int, ...], np.dtype], Array]) -> bool:
        """Adds y = x * factors, where `draw` gives the factors, of the shape and dtype of x or stretched to it."""
        self._native.add_factors()
        self.draws.append(partial(self._draw_factors, self._counts["factors"], draw))
        self._counts["factors"] += 1
        return self._added()

    def draw(self, shapes: Sequence[tuple[int, ...]]) -> None:
        """Draws what dropout needs in the next run forward, whose layers that draw have inputs of these shapes."""
        for draw, shape in zip(self.draws, shapes, strict=True):
            draw(shape)

    def _draw_factors(
        self, index: int, draw: Callable[[tuple[int, ...], np.dtype], Array], shape: tuple[int, ...]
    ) -> None:
        factors = contiguous(np.broadcast_to(draw(shape, self.dtype), shape), self.dtype)
        self._drawn["factors", index] = factors
        self._native.set_factors(index, factors)

    def _draw_dropout(self, index: int, draw: Callable[[int, int, str], Any], shape: tuple[int, ...]) -> None:
        masks = draw(shape[0], shape[2], self.dtype.name)
        self._drawn["recurrent", index] = masks
        self._native.set_dropout(index, shape[0], masks.inputs, masks.recurrent)

    def _bind(self, variables: Sequence[Any]) -> list[Any]:
        """Returns the values of the variables, then their gradients; None where there is none."""
        values: list[Array | None] = []
        grads: list[Array | None] = []
        for variable in variables:
            if variable is None:
                value = grad = None
            else:
                value = variable.numpy() if self._copies else variable.value
                grad = variable.grad if self._gradients else None
                self._bound.append((variable, value, grad))
            values.append(value)
            grads.append(grad)
        return [*values, *grads]

    def is_current(self) -> bool:
        """Returns whether the variables still have the arrays that they had when they were added."""
        for variable, value, grad in self._bound:
            if variable.value is not value or (self._gradients and variable.grad is not grad):
                return False
        return True

    @property
    def takes_ids(self) -> bool:
        """Whether the input is that of an Embedding. What it adds to the gradients, `trainer` alone treats rightly."""
        return self._ids is not None

    def read(self, x: Array) -> Array | None:
        """Returns an input as the other methods take it; None for ids of no row, or of another type of floats."""
        if self._ids is None:
            return x
        if x.dtype != self.dtype:
            if x.dtype.kind not in "iu":
                return None
            x = contiguous(x, np.int64)
        out = np.empty(x.shape, self.dtype)
        return out if _native.as_row_numbers(out, x, self._ids) else None

    def infer(self, x: Array, shape: tuple[int, ...]) -> Array:
        """Returns the result, of `shape`. Any thread may call it at any time; an interrupt leaves states alone."""
        y = np.empty(shape, self.dtype)
        if len(x) <= _ROWS_PER_CALL or self.rows is not None:
            self._native.infer(y, x)
        else:
            rows = max(_ROWS_PER_CALL, int(_FLOPS_PER_CALL / (self._native.flops(x.size // len(x)) + 1)))
            for start in range(0, len(x), rows):
                self._native.infer(y[start : start + rows], x[start : start + rows])
        return y

    def forward(self, x: Array, shape: tuple[int, ...]) -> Array:
        """Returns the result, of `shape`, and keeps what `backward` needs. For one thread."""
        y = np.empty(shape, self.dtype)
        self._native.forward(y, x)
        self._x = x
        return y

    def backward(self, dy: Array | None) -> None:
        """Adds the gradients of the weights, once after each `forward`; None adds nothing."""
        if dy is not None:
            self._native.backward(contiguous(dy, self.dtype))
        self._x = None

    def trainer(self, loss: dict[str, Any], g: Array, update: dict[str, Any] | None) -> Any:
        """Returns a training step in one call: `forward`, `mean_loss`, gradients from zero, `backward`, and an update.

        The call takes (y, x, target, weights, total, columns, learning_rate) and returns the loss; y is filled with the
        result, or None; columns is the length of the result's last axis; weights and total are as of `mean_loss`. It
        counts the step by itself: an interrupt comes before or after all of it. Where its targets are labels,
        `has_labels`, `takes(target, columns)` tells whether they fit.

        Args:
            loss: Name and options of `loss_of`.
            g: What `backward` adds to, end to end.
            update: None where the gradients are all that is wanted. Else `formula` and `arguments` of `update_of`
                without g; and `options`: `iterations`, int64 (), the steps so far; the optimizer's `weight_decay`,
                `clipvalue`, `clipnorm` and `global_clipnorm`, 0 for none; `sizes`, how many elements of g each variable
                has; and `squares`, what the parts of an Embedding's gradient add to the averages of squares, as of
                `Optimizer`.
        """
        maker = _native.TrainerFloat32 if self.dtype == np.float32 else _native.TrainerFloat64
        trainer = maker(self._native, loss_of(self.dtype, **loss), g)
        if update is not None:
            formula, arguments, options = update["formula"], update["arguments"], update["options"]
            trainer.set_update(update_of(formula, g=g, **arguments), **options)
        return trainer

    def stepper(self, x: Array, y: Array) -> tuple[Callable[[], None], Callable[[], Array]]:
        """Returns a call that takes one time step from `x` to `y`, and one that returns the states as they are now.

        The weights are packed here, once: the plan must have copies of them, or they must not change any more.

        Args:
            x: (N, D), read at each step.
            y: (N, units), written.

        Returns:
            The step; and the states, a flat array: those of each recurrent layer (N, H), h before c, end to end.
        """
        states = np.zeros((2, len(x) * self._native.state_size()), self.dtype)
        memory = np.empty(self._native.memory_size(len(x), x.shape[1]), self.dtype)
        maker = _native.StepperFloat32 if self.dtype == np.float32 else _native.StepperFloat64
        step = maker(self._native, y, x, states, memory)

        def now() -> Array:
            return states[step.turn]

        self._bound.extend((None, array, None) for array in (x, y, states, memory))
        return step, now


def _is_function_of_dense(activation: Activation) -> TypeGuard[str]:
    """Returns whether native code has an activation for Dense layers."""
    return isinstance(activation, str) and (activation in ELEMENTWISE or activation == "softmax")
