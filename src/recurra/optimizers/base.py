"""What all optimizers share: the learning rate, clipping, weight decay, averages of weights, accumulated gradients."""

from __future__ import annotations

import math
import numbers
import re
import warnings
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import config as settings
from recurra import saving
from recurra._arguments import open_arguments, unknown_arguments
from recurra._arrays import as_array, contiguous
from recurra._checks import expected, fraction, not_negative, positive, positive_int
from recurra._missing import Gone, names_there
from recurra._names import snake_case
from recurra._signals import HeldSignals
from recurra.optimizers.arithmetic import clip_by_global_norm, clip_by_norm, sums_of_squares
from recurra.optimizers.schedules import LearningRateSchedule
from recurra.optimizers.variables import HoldsVariables
from recurra.variables import Arena, Variable

FLAT = -1  # in place of a variable's index: all variables at once, end to end


class Optimizer(HoldsVariables):
    """Base class: one step is unscale, clip, decay, update, average, constrain.

    A subclass names its `slots` and gives one formula, `update`, on arrays. Where the variables lie end to end in one
    arena the formula runs once over all of them, else variable by variable: element by element it is the same. Or it is
    written as for Keras: `build` makes variables with `add_optimizer_variables`, and `update_step` updates one weight.

    Args:
        learning_rate: A number, a schedule, or a function without arguments.
        weight_decay: If set, `w -= w * weight_decay * learning_rate` before each update.
        clipnorm: Longest gradient of one variable (Euclidean norm).
        clipvalue: Largest magnitude of one gradient entry.
        global_clipnorm: Longest gradient of all variables together.
        use_ema: Keep an exponential moving average of the weights.
        ema_momentum: `average = ema_momentum * average + (1 - ema_momentum) * w`.
        ema_overwrite_frequency: Every so many steps the weights become their average; None: at the end of `fit`.
        loss_scale_factor: What the loss was multiplied by, and the gradients are divided by.
        gradient_accumulation_steps: Update at every k-th call, with the mean of k gradients.
        name: First part of the paths of its variables.

    Raises:
        TypeError: If an option is not a number where one is due.
        ValueError: For options out of range, and for more than one way of clipping.
    """

    if not TYPE_CHECKING:  # type checkers know themselves that it is not there
        lr = Gone("write learning_rate for lr")
    elementwise = True
    squares_slot: tuple[str, str] | None = None  # the slot that averages squared gradients, and its decay's name
    native_formula: str | None = None  # `update` in `ops.update_of`, which takes `formula_arguments`
    _own_update_step = _own_apply = False  # whether a subclass has these of Keras's methods

    def __dir__(self) -> list[str]:
        return names_there(self, super().__dir__())

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._own_update_step = cls.update_step is not Optimizer.update_step
        cls._own_apply = cls.apply is not Optimizer.apply or cls.apply_gradients is not Optimizer.apply_gradients

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **refused: Any,
    ):
        who = type(self).__name__
        if name is not None and not (isinstance(name, str) and "/" not in name):
            raise ValueError(expected(who, "name to be a string without '/'", repr(name)))
        super().__init__(name or snake_case(who))
        if refused.pop("decay", None) is not None:
            warnings.warn("Argument `decay` is no longer supported and will be ignored.", stacklevel=3)
        if refused:
            raise ValueError(unknown_arguments(who, refused, saving.parameters(type(self))))
        self.clipnorm: float | None
        self.clipvalue: float | None
        self.global_clipnorm: float | None
        self.clipnorm, self.clipvalue, self.global_clipnorm = _checked_clips(
            who, clipnorm=clipnorm, clipvalue=clipvalue, global_clipnorm=global_clipnorm
        )
        if use_ema:
            ema_momentum = fraction(who, "ema_momentum", ema_momentum)
            if ema_overwrite_frequency:
                ema_overwrite_frequency = positive_int(who, "ema_overwrite_frequency", ema_overwrite_frequency)
        if gradient_accumulation_steps:
            gradient_accumulation_steps = positive_int(who, "gradient_accumulation_steps", gradient_accumulation_steps)
            if gradient_accumulation_steps < 2:
                got = gradient_accumulation_steps
                raise ValueError(expected(who, "gradient_accumulation_steps to be at least 2", got))
        if weight_decay is not None:
            weight_decay = not_negative(who, "weight_decay", weight_decay)
        if loss_scale_factor is not None:
            loss_scale_factor = positive(who, "loss_scale_factor", loss_scale_factor)
        self.weight_decay = weight_decay
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.averages_swapped: bool = False
        self._excluded: tuple[set[int], re.Pattern[str] | None] = (set(), None)
        self._learning_rate = self._checked_learning_rate(learning_rate)

    # What a subclass gives -------------------------------------------------------------------------------------------

    def before_update(self, step: int) -> None:
        """Called once before the updates of a step, for what is not kept per variable."""

    def update(self, w: np.ndarray, g: np.ndarray, *slots: np.ndarray, learning_rate: float, step: int) -> None:
        """Changes `w` and the slots in place: the optimizer's formula.

        Args:
            w: Weights: of one variable in its shape, or of one or all in one row if the optimizer is `elementwise`.
            g: Their gradients.
            *slots: The arrays of `slot_groups`, in its order.
            learning_rate: The learning rate of this step.
            step: 1, 2, 3, ...
        """
        what = "a method update(w, g, *slots, learning_rate, step) or update_step(gradient, variable, learning_rate)"
        raise NotImplementedError(expected(type(self).__name__, what, "none"))

    def update_step(self, gradient: Any, variable: Variable, learning_rate: float) -> None:
        """Updates one variable by `update`. A subclass's own, written as for Keras, is called in place of `update`."""
        g = contiguous(gradient, variable.dtype).reshape(variable.shape)
        self._update_one(self._get_variable_index(variable), variable.value, g, learning_rate, int(self.iterations) + 1)

    def formula_arguments(self, slots: Sequence[np.ndarray]) -> dict[str, Any]:
        """Returns what `native_formula` takes besides w, g, learning rate and step."""
        raise NotImplementedError

    # The learning rate -----------------------------------------------------------------------------------------------

    @property
    def learning_rate(self) -> Variable | Any:  # Any alone is to checkers what was set last
        """The learning rate: a variable, or what the schedule (as a tensor) or the function gives for now.

        Setting it to a number changes the variable.
        """
        if isinstance(self._learning_rate, Variable):
            return self._learning_rate
        now = self._get_current_learning_rate()
        return as_array(np.float32(now)) if isinstance(self._learning_rate, LearningRateSchedule) else now

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(self._learning_rate, LearningRateSchedule) and not callable(value):
            got = type(self._learning_rate).__name__
            hint = "This optimizer was created with a `LearningRateSchedule`; create it with a number to set it"
            raise TypeError(expected(type(self).__name__, "a learning rate that can be set", got, hint))
        new = self._checked_learning_rate(value)
        if isinstance(self._learning_rate, Variable) and isinstance(new, Variable):
            self._learning_rate.assign(new)
        else:
            self._learning_rate = new

    def _checked_learning_rate(self, value: Any) -> Any:
        if isinstance(value, (np.ndarray, Variable)) and value.ndim == 0:
            value = float(value)
        if callable(value):
            return value
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
            what = "learning_rate to be a finite number, a LearningRateSchedule or a function without arguments"
            raise ValueError(expected(type(self).__name__, what, repr(value)))
        return self._new_variable(np.array(value, settings.floatx()), "learning_rate")

    def _get_current_learning_rate(self) -> float:
        rate = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            return float(np.float32(rate(int(self._iterations))))
        return float(rate) if isinstance(rate, Variable) else float(rate())

    # Steps -----------------------------------------------------------------------------------------------------------

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Updates variables by gradients given as arrays.

        Args:
            grads: One array per variable, of its shape; None leaves the variable as it is, with a warning.
            trainable_variables: The variables; those that the optimizer was built with if None.

        Raises:
            ValueError: If numbers or shapes do not fit, all gradients are None, or a variable is not one of those that
                the optimizer was built with.
        """
        if len(grads) == 0:
            return
        who = type(self).__name__
        if trainable_variables is None:
            if not self.built:
                raise ValueError(expected(f"{who}.apply", "variables or a built optimizer", "neither"))
            trainable_variables = self._trainable_variables
        if len(grads) != len(trainable_variables):
            raise ValueError(expected(f"{who}.apply", f"{len(trainable_variables)} gradients", len(grads)))
        self.build(trainable_variables)
        pairs = [(g, variable) for g, variable in zip(grads, trainable_variables, strict=True) if g is not None]
        if not pairs:
            hint = "No gradients provided for any variable."
            raise ValueError(expected(f"{who}.apply", "gradients", "None for each variable", hint))
        if len(pairs) < len(grads):
            missing = [variable.name for g, variable in zip(grads, trainable_variables, strict=True) if g is None]
            warnings.warn(f"Gradients do not exist for variables {missing} when minimizing the loss.", stacklevel=2)
        variables = [variable for _, variable in pairs]
        gradients = [_as_gradient(g, variable) for g, variable in pairs]
        self._apply(self._indices(variables), [variable.value for variable in variables], gradients)
        self.constrain(variables)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Variable:
        """Updates variables by pairs of gradient and variable; returns the number of calls so far."""
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [variable for _, variable in pairs])
        return self._iterations

    def step(self, variables: Sequence[Variable]) -> None:
        """Updates trainable variables by their own `grad`, in one pass if they are those of one arena.

        Raises:
            ValueError: If a variable is not one of those that the optimizer was built with.
        """
        self.build(variables)
        if self._own_apply:
            for variable in variables:
                variable.sparse.clear()  # it gets the sums
            self.apply_gradients([(as_array(variable.grad), variable) for variable in variables])
            return
        clipped = self._add_sparse_squares(variables)
        arena = self._whole_arena(variables)
        if arena is not None:
            self._apply([FLAT], [arena.weights], [arena.grads])
        else:
            grads: list[Any] = [variable.grad for variable in variables]
            self._apply(self._indices(variables), [variable.value for variable in variables], grads, clipped)
        self.constrain(variables)

    def as_native(self, variables: Sequence[Variable]) -> dict[str, Any] | None:
        """Returns the `update` of `ops.Plan.trainer` that does the work of `step`, or None where a step does more.

        It holds until an attribute of the optimizer is set or a variable moves. `constrain` has to follow each step.
        """
        arena = self._own_arena(variables)
        more = self.loss_scale_factor or self.gradient_accumulation_steps or self.use_ema or self._leaves_out_decay()
        if self.native_formula is None or arena is None or more:
            return None
        names = ("weight_decay", "clipvalue", "clipnorm", "global_clipnorm")
        options: dict[str, Any] = {name: getattr(self, name) or 0.0 for name in names}
        options |= {"iterations": self._iterations.value, "squares": self._share_of_squares()}
        options["sizes"] = [variable.value.size for variable in arena.variables]
        arguments = {"w": arena.weights, **self.formula_arguments(self._slot_arrays(FLAT))}
        return {"formula": self.native_formula, "arguments": arguments, "options": options}

    def takes_sums(self) -> bool:
        """Returns whether `step` treats a sparse gradient as the sum of its parts; see `Variable.sparse`."""
        return not (self.clipnorm or self._share_of_squares())

    def _add_sparse_squares(self, variables: Sequence[Variable]) -> set[int]:
        """Makes the coming update treat a sparse gradient's squares as Keras on TensorFlow does; see `Variable`.

        The formulas average g * g with a decay; what the sum of squares is beyond that goes into the slot beforehand.
        `clipnorm` takes its norm from that sum. Gradients clipped otherwise, unscaled or accumulated are dense there.

        Returns:
            The indices of the variables whose gradients are clipped thereby.
        """
        dense, share = self._changes_gradients(), self._share_of_squares()
        clipped: set[int] = set()
        for variable in variables:
            if not variable.sparse:
                continue
            parts = variable.sparse.copy()
            variable.sparse.clear()
            if variable.grad is None or dense or not (self.clipnorm or share):
                continue
            rows, squares = sums_of_squares(parts)
            index = self._index[variable]
            if self.clipnorm:
                factor = self.clipnorm / max(math.sqrt(squares.sum()), self.clipnorm)
                variable.grad[...] *= factor
                squares *= factor * factor
                clipped.add(index)
            if share and self.squares_slot:
                average = self._slots[self.squares_slot[0]].array(index)
                average[rows] += (squares - np.square(variable.grad[rows])) * share
        return clipped

    def _share_of_squares(self) -> float:
        """Returns the factor with which squares of a sparse gradient's parts go into the slot beforehand, 0 if not."""
        if self.squares_slot is None or self._changes_gradients():
            return 0.0
        rate = getattr(self, self.squares_slot[1])
        return (1 - rate) / rate if rate > 0 else 0.0

    def _changes_gradients(self) -> Any:
        """Returns whether gradients change before the formula sees them.

        They do by clipping (by value, or by the norm of all), unscaling and accumulation, and may by the user's own
        `update_step`.
        """
        shared = self.clipvalue or self.global_clipnorm or self.loss_scale_factor or self.gradient_accumulation_steps
        return shared or self._own_update_step

    def _whole_arena(self, variables: Sequence[Variable]) -> Arena | None:
        """Returns the arena that holds just the optimizer's variables, if a step may run over it in one pass."""
        apart = self.clipnorm or self._leaves_out_decay() or self._own_update_step
        return None if apart else self._own_arena(variables)

    def _leaves_out_decay(self) -> bool:
        """Returns whether the weights of some variables decay, and of others not."""
        return self.weight_decay is not None and self._excluded != (set(), None)

    def _own_arena(self, variables: Sequence[Variable]) -> Arena | None:
        """Returns the arena that holds just the optimizer's variables, if its formula goes element by element."""
        arena = variables[0].arena if variables else None
        if not self.elementwise or arena is None:
            return None
        own = list(map(id, self._trainable_variables))  # == compares values
        fits = own == list(map(id, variables)) == list(map(id, arena.variables))
        return arena if fits and arena.is_current() else None

    def _apply(
        self, indices: list[int], weights: list[np.ndarray], grads: list[np.ndarray], clipped: Collection[int] = ()
    ) -> None:
        if self.loss_scale_factor is not None:
            grads = [g / self.loss_scale_factor for g in grads]
        if self.gradient_accumulation_steps:
            grads = self._accumulated(indices, grads)
        if grads:
            self._update_all(indices, weights, self._clip_gradients(grads, indices, clipped))
        if self.use_ema:
            self._average_weights()
        self._iterations.value[...] += 1

    def _accumulated(self, indices: list[int], grads: list[np.ndarray]) -> list[np.ndarray]:
        """Adds to the accumulators; at every k-th call returns the means and starts anew."""
        slot, k = self._slots["gradient_accumulator"], self.gradient_accumulation_steps or 1
        for index, g in zip(indices, grads, strict=True):
            total = slot.array(index)
            total += g
        if (int(self._iterations) + 1) % k:
            return []
        means = [slot.array(index) / k for index in indices]
        slot.fill(0)
        return means

    def _update_all(self, indices: list[int], weights: list[np.ndarray], grads: list[np.ndarray]) -> None:
        learning_rate, step = self._get_current_learning_rate(), int(self.iterations) + 1
        self.before_update(step)
        for index, w, g in zip(indices, weights, grads, strict=True):
            if self.weight_decay is not None and self._decays(index):
                w -= w * self.weight_decay * learning_rate
            if self._own_update_step:
                self.update_step(as_array(g), self._trainable_variables[index], learning_rate)
            else:
                self._update_one(index, w, g, learning_rate, step)

    def _update_one(self, index: int, w: np.ndarray, g: np.ndarray, learning_rate: float, step: int) -> None:
        arrays = [w, g, *self._slot_arrays(index)]
        if self.elementwise and index != FLAT:
            arrays = [array.reshape(-1) for array in arrays]
        self.update(*arrays, learning_rate=float(learning_rate), step=step)

    def _clip_gradients(
        self, grads: list[np.ndarray], indices: Sequence[int] = (), clipped: Collection[int] = ()
    ) -> list[np.ndarray]:
        if self.clipnorm:
            pairs = zip(grads, indices or [FLAT] * len(grads), strict=True)
            return [g if i in clipped else clip_by_norm(g, self.clipnorm) for g, i in pairs]
        if self.global_clipnorm:
            return clip_by_global_norm(grads, self.global_clipnorm)
        if self.clipvalue:
            return [np.clip(g, -self.clipvalue, self.clipvalue) for g in grads]
        return grads

    def exclude_from_weight_decay(
        self, var_list: Sequence[Variable] | None = None, var_names: Sequence[str] | None = None
    ) -> None:
        """Leaves variables out of weight decay.

        Args:
            var_list: These variables.
            var_names: Those whose name contains one of these texts, such as ["bias"].
        """
        pattern = re.compile("|".join(var_names)) if var_names else None
        self._excluded = ({id(variable) for variable in var_list or ()}, pattern)

    def _decays(self, index: int) -> bool:
        if index == FLAT:
            return True
        variable = self._trainable_variables[index]
        variables, pattern = self._excluded
        return id(variable) not in variables and not (pattern and pattern.search(variable.name))

    # Averages and constraints ----------------------------------------------------------------------------------------

    def _average_weights(self) -> None:
        momentum = self.ema_momentum if int(self.iterations) else 0.0
        averages = self._model_variables_moving_average
        for variable, average in zip(self._trainable_variables, averages, strict=True):
            average.value[...] = momentum * average.value + (1 - momentum) * variable.value
        frequency = self.ema_overwrite_frequency
        if frequency and (int(self.iterations) + 1) % frequency == 0:
            self.finalize_variable_values(self._trainable_variables)

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Sets the variables to their averages if `use_ema` and there are steps done; `fit` calls it at its end."""
        if not self.use_ema or not int(self._iterations):
            return
        averages = self._model_variables_moving_average
        indices = self._indices(var_list)
        with HeldSignals():
            for variable, index in zip(var_list, indices, strict=True):
                source, target = (variable, averages[index]) if self.averages_swapped else (averages[index], variable)
                target.assign(source)
            self.averages_swapped = False

    def swap_averages(self) -> None:
        """Exchanges the values of the variables with their averages; the next call exchanges them back."""
        with HeldSignals():
            for variable, average in zip(self._trainable_variables, self._model_variables_moving_average, strict=True):
                value = variable.numpy()
                variable.assign(average)
                average.assign(value)
            self.averages_swapped = not self.averages_swapped

    def constrain(self, variables: Sequence[Variable]) -> None:
        """Applies the variables' constraints; `step` and `apply` do so after each update."""
        for variable in variables:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable.value))

    def scale_loss(self, loss: Any) -> Any:
        """Returns the loss times `loss_scale_factor`."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    # Configs ---------------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, ready for JSON."""
        rate = self._learning_rate
        shared = {
            "name": self.name,
            "learning_rate": float(rate) if isinstance(rate, Variable) else saving.serialize_keras_object(rate),
        }
        names = ["weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema", "ema_momentum"]
        names += ["ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps"]
        known = saving.parameters(type(self))
        own = [name for name in known if name not in shared and name not in names]
        return shared | {name: getattr(self, name) for name in (*names, *own)}

    @classmethod
    @open_arguments
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """Builds the optimizer that `get_config` described."""
        rate = saving.deserialize_keras_object(config.get("learning_rate"), custom_objects)
        return cls(**({**config, "learning_rate": rate} if "learning_rate" in config else config))


def _checked_clips(who: str, **clips: float | None) -> list[float | None]:
    """Returns the limits of the ways of clipping; ValueError for more than one, or one that is out of range."""
    given = {name: limit for name, limit in clips.items() if limit is not None}
    if len(given) > 1:
        got = ", ".join(f"{name}={limit}" for name, limit in given.items())
        hint = "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set"
        raise ValueError(expected(who, "one way of clipping", got, hint))
    return [None if limit is None else not_negative(who, name, limit) for name, limit in clips.items()]


def _as_gradient(g: Any, variable: Variable) -> np.ndarray:
    g = contiguous(g, variable.dtype).reshape(np.shape(g))
    if g.shape != variable.shape:
        raise ValueError(expected(f"the gradient of {variable.path!r}", f"shape {variable.shape}", g.shape))
    return g
