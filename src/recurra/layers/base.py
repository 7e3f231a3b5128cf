"""The layer: explicit forward and backward, weights as views, and what both kinds of call share.

A layer is `forward(x) -> y, cache` and `backward(dy, cache) -> dx`; the gradients of its weights are added to
`variable.grad`. Calling a layer on an array computes at once; on a symbolic tensor it adds a node to the graph.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from recurra import _file_limits, _memory, _tree, ops, regularizers, saving
from recurra._arguments import hint_for_argument, open_arguments, take_by_position, unknown_arguments
from recurra._arrays import (
    Array,
    as_array,
    as_numbers,
    plain_numbers_as_array,
    standardize_dtype,
)
from recurra._checks import expected
from recurra._missing import DOCS
from recurra._names import auto_name, naming
from recurra._owners import is_own
from recurra.layers._foreign import call_of, forward_of, guard_backward, guard_forward
from recurra.layers._shapes import is_shape, map_shapes, standardize_shape
from recurra.layers.symbolic import KerasTensor, Node, any_symbolic
from recurra.layers.weights import HoldsWeights
from recurra.variables import Variable

_MISSING: Any = inspect.Parameter.empty  # as a default: the signature shows none


@_memory.while_it_lives
def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _first_parameter(method: Callable[..., Any]) -> str:
    """Returns what a method calls its first argument."""
    return next(iter(_parameters(method)[1:]), "inputs")


def _wrap_build(build: Callable[..., None]) -> Callable[..., None]:
    """Runs `build` within the layer's name scope, once, and marks the layer as built."""

    @functools.wraps(build)
    def wrapped(self: Layer, input_shape: Any = None, *args: Any, **kwargs: Any) -> None:
        input_shape = kwargs.pop(_first_parameter(build), None) if input_shape is None else input_shape
        if self._building:
            return build(self, input_shape, *args, **kwargs)
        shape = None if input_shape is None else standardize_shape(input_shape)
        self._building = True
        naming.scope.append(self.name)
        try:
            build(self, shape, *args, **kwargs)
        finally:
            naming.scope.pop()
            self._building = False
        if not self.stateless:
            self._build_shape = shape
        self.built = True
        return None

    return wrapped


def _defined_in(cls: type) -> dict[str, Any]:
    """Returns what a subclass of `Layer` defines, in its body or in mixins that come before the next layer."""
    own: dict[str, Any] = {}
    for base in cls.__mro__:
        if base is not cls and issubclass(base, Layer):
            break
        own = {**vars(base), **own}
    return own


class Layer(HoldsWeights, saving.Configurable):
    """Base class of all layers.

    A subclass gives `build` (make weights with `add_weight`; a `Variable` set as an attribute is one too), `forward`
    and, to be trained, `backward`. A Keras layer whose `call` computes with NumPy works as it is, for prediction:
    `call` stands for a `forward` without a cache.

    Args:
        name: Name, unique within a model; made from the class name if None.
        trainable: Whether training changes the weights.
        dtype: "float32" or "float64"; the default is `config.floatx()`.
        activity_regularizer: Penalty on the output.
        input_shape: Of a first layer in a `Sequential`, without the batch, in place of an `Input`.
        autocast: Accepted, changes nothing.

    Raises:
        ValueError: For an unknown argument or dtype.

    >>> class Double(Layer):
    ...     def forward(self, inputs):
    ...         return 2 * inputs, None
    ...     def backward(self, doutputs, cache):
    ...         return 2 * doutputs
    >>> Double()(np.ones((1, 2))).numpy()
    array([[2., 2.]], dtype=float32)
    """

    supports_masking = False
    keeps_integers = False
    takes_several = False  # a list of arrays as inputs; a `forward` that is not recurra's may do so anyway
    checks_inputs = False  # `_cast_inputs` refuses what does not fit: within a model, too, it is asked at each call
    _keras_input_name: str | None = None  # of the inputs in Keras, where `forward` has another
    stateless: bool = False  # built from the start; `build` only checks shapes, and does so at each call
    _absent_options: dict[str, Any] = {}  # Keras's options that are not here: what they are in configs, and must be

    _without_backward = "docs/coming-from-keras.md shows one"  # what to do then
    _by_call: Any = None  # of a class with Keras's `call`, whose `forward` may be anything: `call` as a `forward`
    _building = False
    _mixes_dtypes = False  # what `forward` gives may have other dtypes than the layer

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = _defined_in(cls)
        if "build" in own:
            cls.build = _wrap_build(cls.build)  # type: ignore[method-assign]
            cls.stateless = own.get("stateless", False)
        if "backward" in own and not is_own(cls.backward):
            cls.backward = guard_backward(cls.backward)  # type: ignore[method-assign]
            cls.backward_all = own.get("backward_all", Layer.backward_all)  # type: ignore[method-assign]
        if "call" in own and not {"forward", "backward"} <= own.keys():
            cls._by_call = guard_forward(forward_of(cls.call))
            if "forward" not in own:
                cls.forward = cls._by_call  # type: ignore[method-assign]
            if "backward" not in own:  # that of a base class belongs to its forward
                cls.backward, cls.backward_all = Layer.backward, Layer.backward_all  # type: ignore[method-assign]
        elif "forward" in own:
            cls._by_call = None
            if not is_own(cls.forward):
                cls.forward = guard_forward(cls.forward)  # type: ignore[method-assign]
            cls.call = call_of(cls.forward)  # type: ignore[method-assign]

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        activity_regularizer: Any = None,
        input_shape: Any = None,
        autocast: bool = True,
        **unknown: Any,
    ):
        who = type(self).__name__
        input_dim = unknown.pop("input_dim", None)  # not declared: Embedding has an argument of that name
        for option, off in self._absent_options.items():
            given = unknown.pop(option, off)
            if given != off:
                raise ValueError(expected(who, f"{option}={off}", repr(given), hint_for_argument(option) or DOCS))
        if unknown:
            known = [*saving.parameters(type(self)), *inspect.signature(type(self)).parameters]
            raise ValueError(unknown_arguments(who, unknown, known))
        if input_shape is not None and not is_shape(input_shape):
            what = "input_shape to be a tuple of whole numbers and None, without the batch"
            raise ValueError(expected(who, what, repr(input_shape)))
        _file_limits.take_layer(who)
        early = dict(vars(self))  # what a subclass has set before it called this
        if not isinstance(trainable, (bool, np.bool_)):
            raise ValueError(expected(who, "trainable to be True or False", repr(trainable)))
        super().__init__(bool(trainable))
        self._inbound_nodes: list[Node] = []
        self._activity_losses: list[float] = []
        self._build_shape: Any = None
        self.built: bool = self.stateless
        if name is not None and not isinstance(name, str):
            raise ValueError(expected(who, "name to be a string", repr(name)))
        if name and "/" in name:
            raise ValueError(expected(who, "a name without '/'", repr(name)))
        self.name: str = name or auto_name(who)
        self.dtype: str = standardize_dtype(dtype, who)
        self.activity_regularizer: Any = regularizers.get(activity_regularizer)
        if input_dim is not None and input_shape is None:
            input_shape = (input_dim,)
        self._input_shape_argument = None if input_shape is None else (None, *input_shape)
        self._hold(early)

    # What a subclass gives ------------------------------------------------------------------------------------------

    @_wrap_build
    def build(self, input_shape: Any) -> None:
        """Makes the weights for inputs of this shape (batch first, None where unknown)."""

    def forward(self, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """`forward(inputs)` returns the outputs and a cache, whatever `backward` needs.

        A subclass may name more parameters: `mask`, `training`, and arguments of its own.
        """
        raise NotImplementedError(expected(type(self).__name__, "a method forward(inputs)", "none"))

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Returns the outputs of `forward`: Keras's word. A subclass may give it in place of `forward`."""
        return self.forward(*args, **kwargs)[0]

    def backward(self, doutputs: Any, cache: Any, /) -> Any:
        """Returns the gradient of the inputs; adds those of the weights to `variable.grad` where that is not None.

        A subclass may name `need_dx`: False where nobody reads the result.
        """
        what = "a method backward(doutputs, cache) to be trained"
        raise NotImplementedError(expected(type(self).__name__, what, "none", self._without_backward))

    def backward_all(self, doutputs: Any, cache: Any, need_dx: bool = True) -> tuple[Any, dict[str, Any]]:
        """Returns the gradient of the inputs, and of those keyword arguments that are tensors, by name."""
        backward: Any = functools.partial(type(self).backward, self) if self._by_call else self.backward
        if "need_dx" in _parameters(type(self).backward):
            return backward(doutputs, cache, need_dx=need_dx), {}
        return backward(doutputs, cache), {}

    def _weights_behind(self, outputs: list[bool]) -> list[Variable]:
        """Returns the weights that have a gradient where these of the outputs have one, in order."""
        penalised = any(layer.activity_regularizer is not None for layer in self._flatten_layers())
        return self.weights if penalised or any(outputs) else []

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        """Adds the layer to a line that native code runs, if it can: the bits are those of `forward`, `backward`."""
        return False

    @open_arguments
    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the shape of the output, or a structure of shapes.

        By default that of the input for recurra's own layers; others are run on zeros of such a shape to see.

        Raises:
            NotImplementedError: If a layer that is not recurra's takes more than the inputs.
        """
        if is_own(self._class_forward()):
            return input_shape
        if self._needs_more_than_inputs():
            what = "a method compute_output_shape, as it takes more than the inputs"
            raise NotImplementedError(expected(type(self).__name__, what, "none"))
        return self._shape_by_runs(input_shape, {})

    def _shape_by_runs(self, input_shape: Any, kwargs: dict[str, Any]) -> Any:
        """Returns the shape of the output as runs on zeros show it; see `_call_shape`."""
        self._build_for(input_shape)
        results = [self._run_on_zeros(input_shape, unknown, kwargs) for unknown in (2, 3)]
        pairs = zip(*map(_tree.flatten, results), strict=True)
        shapes = [tuple(m if m == n else None for m, n in zip(np.shape(a), np.shape(b), strict=True)) for a, b in pairs]
        return _tree.pack_as(results[0], shapes)

    def _needs_more_than_inputs(self) -> bool:
        rest = list(inspect.signature(self._class_forward()).parameters.values())[2:]
        given = ("mask", "training", "keep_cache")
        return any(p.default is p.empty and p.name not in given and p.kind is p.POSITIONAL_OR_KEYWORD for p in rest)

    def _run_on_zeros(self, shape: Any, unknown: int, kwargs: dict[str, Any]) -> Any:
        """Returns what the layer gives for zeros, axes of unknown size taken as `unknown`."""

        def zeros(shape: Any, dtype: str) -> np.ndarray:
            return np.zeros([unknown if size is None else size for size in shape], dtype)

        def known(leaf: Any) -> Any:
            return zeros(leaf.shape, leaf.dtype) if isinstance(leaf, KerasTensor) else leaf

        inputs = map_shapes(lambda one: zeros(one, self.dtype), shape)
        given = {name: _tree.map_structure(known, value) for name, value in kwargs.items() if name != "training"}
        inputs = self._cast_inputs(inputs)
        with np.errstate(all="ignore"):  # zeros divided by zeros are no news
            try:
                return self._run_call(inputs, None, False, given, keep_cache=False)[0]
            except Exception:
                masked = self._lacking(given, {"mask": inputs} | self._named_masks(inputs, _tensors_in(given)))
                if not masked:
                    raise
            # It may not do without masks, and whether its inputs have some is not known here.
            masks = _tree.map_structure(lambda array: np.ones(array.shape[:-1], bool), masked)
            return self._run_call(inputs, masks.pop("mask", None), False, given | masks, keep_cache=False)[0]

    @open_arguments
    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Returns the mask of the output: by default the input's, if the layer supports masks."""
        if self.supports_masking or previous_mask is None:
            return previous_mask
        if any(mask is not None for mask in _tree.flatten(previous_mask)):
            warnings.warn(
                f"Layer '{self.name}' (of type {type(self).__name__}) was passed an input with a mask attached to it. "
                "However, this layer does not support masking and will therefore destroy the mask information. "
                "Downstream layers will not see the mask.",
                stacklevel=2,
            )
        return None

    # Losses ---------------------------------------------------------------------------------------------------------

    @property
    def losses(self) -> list[float]:
        """Penalties: of the last eager call's output, then of the weights."""
        of_outputs = [loss for part in self._flatten_layers() for loss in part._activity_losses]
        return of_outputs + penalties(self.trainable_weights)

    def _forget_activity_losses(self) -> None:
        for part in self._flatten_layers():
            part._activity_losses.clear()  # in place: setting it would count as a change, and plans would be made anew

    # Calls ----------------------------------------------------------------------------------------------------------

    @property
    def _forward_parameters(self) -> tuple[str, ...]:
        """The names of what `forward` takes beside the inputs."""
        return _parameters(self._class_forward())[2:]

    @classmethod
    def _class_forward(cls) -> Callable[..., Any]:
        return cls._by_call or cls.forward

    @property
    def _forward_to_run(self) -> Callable[..., tuple[Any, Any]]:
        """`forward`, or what stands for it where the class has Keras's `call`."""
        return self._by_call or self.forward

    def __call__(self, inputs: Any = _MISSING, /, *args: Any, **kwargs: Any) -> Any:
        """Computes on arrays, or adds to the graph on symbolic tensors.

        Args:
            inputs: Arrays or symbolic tensors, or a list or dict of them; by keyword under the name that `call` gives.
            *args, **kwargs: `training`, and what `forward` takes beside the inputs.
        """
        if "_layers" not in self.__dict__:
            hint = "begin its __init__ with super().__init__(**kwargs)"
            raise RuntimeError(expected(type(self).__name__, "Layer.__init__ to have been called", "no call", hint))
        if inputs is _MISSING:
            inputs = self._pop_inputs(kwargs)
        if inputs is None:
            raise ValueError(expected(f"layer {self.name!r}", "inputs", "None"))
        if isinstance(inputs, (list, tuple, dict)) and not self.takes_several and is_own(self._class_forward()):
            self._refuse_several(inputs)
        names = [name for name in self._forward_parameters if name != "keep_cache"]
        if len(args) > len(names):
            raise TypeError(
                expected(type(self).__name__, f"at most {len(names) + 1} positional arguments", len(args) + 1)
            )
        if args:
            take_by_position(f"{type(self).__name__}.__call__", names, args, kwargs)
            shape = getattr(kwargs["training"], "shape", None) if "training" in names[: len(args)] else None
            if shape:
                what, hint = "training to be True or False", "give several inputs in a list"
                raise TypeError(expected(f"layer {self.name!r}", what, f"an array of shape {shape}", hint))
        known = [*names, "training"]
        unknown = [name for name in kwargs if name not in known and (name != "mask" or kwargs[name] is not None)]
        if unknown:
            take_by_position(f"{type(self).__name__}.__call__", [self._input_name], [inputs], kwargs)
            raise TypeError(unknown_arguments(f"a call of {type(self).__name__}", unknown, known))
        if any_symbolic([inputs, list(kwargs.values())]):
            return self._call_symbolic(inputs, kwargs)
        return self._call_eager(inputs, kwargs)

    @property
    def _input_name(self) -> str:
        """What `call` calls the inputs."""
        return self._keras_input_name or _first_parameter(self._class_forward())

    def _pop_inputs(self, kwargs: dict[str, Any]) -> Any:
        """Takes the inputs of a call out of its keyword arguments; TypeError, as of Python, without them."""
        for name in (self._input_name, "inputs"):
            if name in kwargs:
                return kwargs.pop(name)
        who = f"{type(self).__name__}.__call__()"
        raise TypeError(f"{who} missing 1 required positional argument: {self._input_name!r}")

    def _refuse_several(self, inputs: Any) -> None:
        """Raises ValueError for a list of tensors, which a list of numbers is not."""
        shapes = [tuple(x.shape) for x in _tree.flatten(inputs) if hasattr(x, "shape") and x.shape]
        if not shapes or self._class_forward() is Layer.forward:  # which says that it is missing
            return
        hint = "merge them first, as with Concatenate()"
        if len(shapes) == 1:
            hint = "give the tensor itself"
        elif isinstance(inputs, tuple):
            hint = "a layer with return_state=True gives its states too, as in output, h, c = LSTM(...)(x)"
        elif "initial_state" in self._forward_parameters:
            hint = "pass states as initial_state="
        got = f"{len(shapes)} in a {type(inputs).__name__}, of shapes {', '.join(map(str, shapes))}"
        raise ValueError(expected(f"layer {self.name!r}", "one input", got, hint))

    def _call_eager(self, inputs: Any, kwargs: dict[str, Any]) -> Any:
        inputs = plain_numbers_as_array(inputs)
        mask = _carried(inputs)
        masked = self._lacking(kwargs, self._named_masks(inputs, _tensors_in(kwargs)))
        kwargs |= {name: _carried(tensors) for name, tensors in masked.items()}
        inputs = self._cast_inputs(inputs)
        self._build_for(_tree.map_structure(np.shape, inputs))
        training = kwargs.pop("training", None)
        self._forget_activity_losses()
        outputs, cache, mask = self._run_call(inputs, mask, training, kwargs, keep_cache=False)
        within = getattr(cache, "activity_loss", 0.0)  # of the layers in a model or wrapper, which are not called
        if within:
            self._activity_losses.append(within)
        if self.activity_regularizer is not None:
            self._activity_losses.extend(self._activity_loss(y) for y in _tree.flatten(outputs))
        masks = aligned_masks(mask, outputs)
        leaves = [as_array(y, m) for y, m in zip(_tree.flatten(outputs), masks, strict=True)]
        return _tree.pack_as(outputs, leaves)

    def _call_symbolic(self, inputs: Any, kwargs: dict[str, Any]) -> Any:
        shapes = _tree.map_structure(lambda tensor: tuple(tensor.shape), inputs)
        self._build_for(shapes)
        shape = self._call_shape(standardize_shape(shapes), kwargs)
        first = _tree.flatten(inputs)[0].dtype
        dtype = first if self.keeps_integers and not first.startswith("float") else self.dtype
        outputs = self._symbolic_outputs(shape, dtype)
        kwargs = {name: value for name, value in kwargs.items() if value is not None}
        Node(self, inputs, kwargs, outputs)
        return outputs

    def _call_shape(self, shapes: Any, kwargs: dict[str, Any]) -> Any:
        """Returns what `compute_output_shape` does, where a call gives more than that by its arguments, of all of it.

        Args:
            shapes: Of the inputs.
            kwargs: What else the call was given, tensors among it as symbolic ones.
        """
        says_so = is_own(self._class_forward()) or type(self).compute_output_shape is not Layer.compute_output_shape
        return self.compute_output_shape(shapes) if says_so else self._shape_by_runs(shapes, kwargs)

    def _symbolic_outputs(self, shape: Any, dtype: str) -> Any:
        if is_shape(shape):
            return KerasTensor(standardize_shape(shape), dtype, name=self.name)
        if isinstance(shape, dict):
            return {key: self._symbolic_outputs(item, dtype) for key, item in shape.items()}
        return type(shape)(self._symbolic_outputs(item, dtype) for item in shape)

    def _build_for(self, shapes: Any) -> None:
        if not self.built or self.stateless:
            self.build(shapes)

    def _run_layer(
        self, inputs: Any, mask: Any, training: bool | None, kwargs: dict[str, Any], keep_cache: bool = True
    ) -> tuple[Any, Any, Any]:
        """Runs `forward` with those of mask and training that it names.

        Args:
            inputs: Arrays, already of the layer's dtype.
            mask: The inputs' masks.
            training: Whether dropout drops and so on.
            kwargs: What else `forward` takes.
            keep_cache: Whether `backward` will follow.

        Returns:
            Outputs, cache, and the outputs' masks.
        """
        names = self._forward_parameters
        if "mask" in names:
            kwargs = {**kwargs, "mask": mask}
        if "training" in names:
            kwargs = {**kwargs, "training": bool(training)}
        if "keep_cache" in names:
            kwargs = {**kwargs, "keep_cache": keep_cache}
        naming.scope.append(self.name)  # of layers that it builds
        try:
            outputs, cache = self._forward_to_run(inputs, **kwargs)
        finally:
            naming.scope.pop()
        has_mask = mask is not None and any(m is not None for m in _tree.flatten(mask))
        makes_mask = type(self).compute_mask is not Layer.compute_mask
        return outputs, cache, self.compute_mask(inputs, mask if has_mask else None) if has_mask or makes_mask else None

    def _run_call(
        self, inputs: Any, carried: Any, training: bool | None, kwargs: dict[str, Any], keep_cache: bool
    ) -> tuple[Any, Any, Any]:
        """Runs the layer with the `mask` among kwargs, else with the masks that the inputs carry; see `_run_layer`."""
        kwargs = dict(kwargs)
        given = kwargs.pop("mask", None)
        if given is not None:
            return self._run_layer(inputs, _as_masks(given), training, kwargs, keep_cache)
        mask = self._carried_mask(carried, kwargs)
        outputs, cache, masks = self._run_layer(inputs, mask, training, kwargs, keep_cache)
        if mask is not carried and any(one is not None for one in _tree.flatten(carried)):
            masks = self.compute_mask(inputs, carried)
        return outputs, cache, masks

    def _carried_mask(self, mask: Any, kwargs: dict[str, Any]) -> Any:
        """Returns what `forward` gets of the inputs' masks: nothing where there are other tensors, as in Keras."""
        return None if _tensors_in(kwargs) else mask

    def _lacking(self, kwargs: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
        """Returns those of the named things that `forward` takes and the arguments leave out."""
        return {
            name: one for name, one in named.items() if name in self._forward_parameters and kwargs.get(name) is None
        }

    def _named_masks(self, inputs: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        """Returns whose masks `forward` may take under which names: where there are several tensors, as `value_mask`.

        Args:
            inputs: The first tensor, or what stands for it.
            tensors: The others by their names.
        """
        named = dict.fromkeys(_parameters(self._class_forward())[1:2], inputs) | tensors if tensors else {}
        return {f"{name}_mask": value for name, value in named.items()}

    def _masked_arguments(self, node: Node) -> list[Any]:
        """Returns the tensors whose masks are arguments of a symbolic call too: in Keras, of one tensor alone."""
        alone = isinstance(node.inputs, KerasTensor) and node.inputs.dtype == self.dtype and not node.kwargs
        return [node.inputs] if alone and "mask" in self._forward_parameters else []

    def _cast_inputs(self, inputs: Any) -> Any:
        """Returns the inputs as arrays of the layer's dtype; whole numbers stay where the layer keeps them.

        Raises:
            ValueError: For text and other things that are not numbers.
        """
        return _tree.map_structure(self._cast, inputs)

    def _cast(self, value: Any) -> Any:
        if value is None:
            return None
        if type(value) not in (np.ndarray, Array) or value.dtype != self.dtype:  # others may be masked, or on a device
            value = as_numbers(value, f"layer {self.name!r}")
        array = np.asarray(value)
        if array.dtype == self.dtype or (self.keeps_integers and array.dtype.kind != "f"):
            return array
        return array.astype(self.dtype)

    def _activity_loss(self, outputs: np.ndarray) -> float:
        return _penalty(self.activity_regularizer, outputs) / len(outputs)

    def _activity_gradient(self, outputs: np.ndarray) -> np.ndarray:
        return np.asarray(self.activity_regularizer.gradient(outputs) / len(outputs), outputs.dtype)

    # Configs --------------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        base = {"name": self.name, "trainable": self.trainable, "dtype": dtype_policy(self.dtype)}
        names = self._config_names()
        lost = [name for name in names if not hasattr(self, name)]
        if lost:
            hint = f"give it one, or keep {lost[0]} as self.{lost[0]}"
            raise NotImplementedError(
                expected(type(self).__name__, "a method get_config, or its arguments as attributes", repr(lost), hint)
            )
        own = {name: saving.serialize_keras_object(getattr(self, name)) for name in names}
        return base | self._absent_options | own

    def _config_names(self) -> list[str]:
        """Returns the names of the constructor's arguments beside those of every layer."""
        names = own_parameters(type(self))
        own = type(self).__init__ is not Layer.__init__
        declared = own and "activity_regularizer" in inspect.signature(type(self).__init__).parameters
        return [*names, "activity_regularizer"] if declared or self.activity_regularizer else names

    def get_build_config(self) -> dict[str, Any] | None:
        """Returns the shape that the layer was built for, or None."""
        return None if self._build_shape is None else {"input_shape": self._build_shape}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Builds the layer for the shape of `get_build_config`, and by a run on zeros the layers that it calls."""
        if config.get("input_shape") is None:
            return
        shape = standardize_shape(config["input_shape"])
        self.build(shape)
        if not all(part.built for part in self._flatten_layers()) and not self._needs_more_than_inputs():
            self._run_on_zeros(shape, 2, {})

    @property
    def compute_dtype(self) -> str:
        """The dtype of outputs: `dtype`, as for the weights (`variable_dtype`)."""
        return self.dtype

    variable_dtype = compute_dtype

    @property
    def path(self) -> str:
        """The layer's name."""
        return self.name

    @property
    def input(self) -> Any:
        """The symbolic input of the layer's first call."""
        return self._first_node().inputs

    @property
    def output(self) -> Any:
        """The symbolic output of the layer's first call."""
        return self._first_node().outputs

    def _first_node(self) -> Node:
        if not self._inbound_nodes:
            hint = "put it into a model, or write layer(recurra.Input(...))"
            raise AttributeError(expected(f"layer {self.name!r}", "a call on a symbolic tensor before", "none", hint))
        return self._inbound_nodes[0]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def own_parameters(cls: type) -> list[str]:
    """Returns the names of the constructor's parameters without those of every layer."""
    return [name for name in saving.parameters(cls) if name not in saving.parameters(Layer)]


def _penalty(regularizer: Any, x: np.ndarray) -> float:
    """Returns a penalty, in full precision where the formula is recurra's own."""
    return regularizer._penalty(x) if is_own(type(regularizer).__call__) else float(regularizer(x))


def penalties(variables: list[Variable]) -> list[float]:
    """Returns those of the variables that are regularized."""
    regularized = (variable for variable in variables if variable.regularizer is not None)
    return [_penalty(variable.regularizer, variable.value) for variable in regularized]


def _tensors_in(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Returns those of the arguments that are arrays, or structures with some."""
    return {
        name: value
        for name, value in kwargs.items()
        if any(isinstance(leaf, np.ndarray) for leaf in _tree.flatten(value))
    }


def _carried(inputs: Any) -> Any:
    """Returns the masks that arrays carry, None for those without one."""
    return _tree.map_structure(lambda array: getattr(array, "_keras_mask", None), inputs)


def _as_masks(given: Any) -> Any:
    """Returns a mask, or a list of masks and None, as bool arrays."""
    if isinstance(given, (list, tuple)) and any(one is None or np.ndim(one) > 1 for one in given):
        return [None if one is None else np.asarray(one, bool) for one in given]
    return np.asarray(given, bool)


def dtype_policy(dtype: str) -> dict[str, Any]:
    """Returns the serialized form of a dtype policy, as Keras writes it."""
    return {"module": "keras", "class_name": "DTypePolicy", "config": {"name": dtype}, "registered_name": None}


def aligned_masks(masks: Any, outputs: Any) -> list[Any]:
    """Returns one mask, or None, for each output."""
    count = len(_tree.flatten(outputs))
    found = _tree.flatten(masks)
    return found if len(found) == count else [*found[:count], *([None] * (count - len(found)))]
