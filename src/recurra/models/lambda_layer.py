"""Lambda: a function of symbolic tensors as a layer. It is a model of the layers that the function makes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from recurra._checks import expected
from recurra.layers._shapes import map_shapes
from recurra.layers.input_layer import InputLayer
from recurra.models.functional import Functional, GraphModel

_WANTED = "a function of +, -, *, / by a number, indices, activations and layers"
_HINT = "write another as a Layer with forward(inputs) and, to be trained, backward(doutputs, cache)"


class Lambda(GraphModel):
    """Applies a function (https://keras.io/api/layers/core_layers/lambda).

    The function is called once, with symbolic tensors, when the layer is built: what it does with them becomes layers,
    such as `Rescaling` for `x * 100`, that have gradients and whose weights are its own. In files those layers stand: a
    file holds no code.

    Args:
        function: Takes the inputs; may do with them what symbolic tensors can: +, -, *, / by a number, indices such as
            `x[:, -1, :]` and `x[..., None]`, activations, layers.
        output_shape: Not needed: the layers know it.
        mask: Must be None: the layers know what becomes of masks.
        arguments: Further arguments of the function, by name.

    Raises:
        TypeError: If the function is none or, when the layer is built, does something else.
        ValueError: For a mask, and for a config before it is built.

    >>> recurra.layers.Lambda(lambda x: x * 100.0)(np.ones((1, 2))).numpy()
    array([[100., 100.]], dtype=float32)
    """

    _written_class = Functional
    _first_call = Functional._first_call

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError(expected("Lambda", "a function", repr(function)))
        if mask is not None:
            raise ValueError(expected("Lambda", "no mask", repr(mask), "the layers that it makes hand masks on"))
        self.function = function
        self.arguments = dict(arguments or {})

    def build(self, input_shape: Any) -> None:
        names = (f"{self.name}_input_{number}" for number in count())
        start = map_shapes(
            lambda shape: InputLayer(batch_shape=shape, dtype=self.dtype, name=next(names)).output, input_shape
        )
        try:
            outputs = self.function(start, **self.arguments)
            self._own_graph(start, outputs)
        except (AttributeError, TypeError, ValueError) as error:
            kind = ValueError if isinstance(error, ValueError) else TypeError  # others may take more than a text
            raise kind(expected(f"layer {self.name!r}", _WANTED, f"one that failed ({error})", _HINT)) from error

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()  # copies and pickles need the function no more, once the layers are made
        return state | {"function": None, "arguments": {}} if self.built else state

    def get_build_config(self) -> None:
        return None

    def get_config(self) -> dict[str, Any]:
        """Returns the config of a functional model, which files hold in its place."""
        return self._graph_config()

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Functional:
        """Returns the functional model of `get_config`."""
        return Functional.from_config(config, custom_objects)
