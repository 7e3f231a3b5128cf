"""Model: a layer made of layers that can be trained, saved and loaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from recurra import saving
from recurra._arguments import open_arguments
from recurra._checks import did_you_mean, expected
from recurra.training.batches import NestedInputs
from recurra.training.trainer import Trainer

if TYPE_CHECKING:
    from recurra.layers.symbolic import KerasTensor
    from recurra.models.stream import Stream

_Model = TypeVar("_Model", bound="Model")


@saving.builtin("keras")
class Model(Trainer):
    """A group of layers with training and prediction (https://keras.io/api/models/model).

    `Model(inputs, outputs)` makes a graph of symbolic tensors into a model, of a subclass too; so does a subclass that
    passes them to `super().__init__`. Another subclass gives `forward` and, to be trained, `backward`, as a layer does.

    Args:
        inputs: A symbolic tensor, or a list or dict of them.
        outputs: The same, of the results.
        name: Name of the model.

    Raises:
        ValueError: If an output does not come from the inputs, or a layer's name occurs twice.
    """

    takes_several = True
    _mixes_dtypes = True
    _without_backward = "build it as keras.Model(inputs, outputs), of layers that have theirs"

    if TYPE_CHECKING:  # what `Model(inputs, outputs)` takes and has: to type checkers it is a Model and no Functional

        def __init__(self, inputs: Any = ..., outputs: Any = ..., name: str | None = ..., **kwargs: Any) -> None: ...

        @property
        def inputs(self) -> list[KerasTensor]: ...

        @property
        def outputs(self) -> list[KerasTensor]: ...

        @property
        def input_shape(self) -> Any: ...

        @property
        def output_shape(self) -> Any: ...

        def stream(self, n: int | None = None) -> Stream: ...

    else:

        def __init__(self, *args: Any, **kwargs: Any):
            if _are_ends(args, kwargs):
                from recurra.models.functional import Functional

                _with_functional(type(self))
                Functional.__init__(self, *args, **kwargs)
            elif args or not kwargs.keys().isdisjoint(("inputs", "outputs", "input", "output")):
                got, hint = ", ".join(kwargs) or "one of them", "write Model(inputs, outputs)"
                raise TypeError(expected(type(self).__name__, "inputs and outputs", got, hint))
            else:
                super().__init__(**kwargs)

    def __new__(cls: type[_Model], *args: Any, **kwargs: Any) -> _Model:
        if cls is Model and _are_ends(args, kwargs):
            return super().__new__(_with_functional(cls))
        return super().__new__(cls)

    @classmethod
    @open_arguments
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """Returns the model of a config; classes whose constructor takes a graph get that of functional models."""
        from recurra.models.functional import functional_from_config, takes_graph

        if "input_layers" in config and takes_graph(cls):
            with saving.CustomObjectScope(custom_objects or {}):
                return functional_from_config(cls, config)
        return super().from_config(config, custom_objects)

    @property
    def layers(self) -> list[Any]:
        """The layers of the model, in order."""
        return self._sublayers()

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs."""
        return ["input"]

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that give the outputs."""
        return self._outputs.names

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """Returns a layer by its name or its position.

        Raises:
            ValueError: If there is no such layer.
        """
        if index is not None and name is not None:
            raise ValueError(expected("get_layer", "a name or an index", "both"))
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(expected("get_layer", f"an index below {len(self.layers)}", index))
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self.layers]
        hint = f"write index={name}" if isinstance(name, int) else did_you_mean(name, names)
        raise ValueError(expected("get_layer", f"one of {names}", repr(name), hint))

    def _run_layer(
        self, inputs: Any, mask: Any = None, training: bool | None = False, kwargs: Any = None, keep_cache: bool = True
    ) -> tuple[Any, Any, Any]:
        """Runs `forward` on arrays nested as it takes them, or as batches have them; see `Layer._run_layer`."""
        inputs = inputs.nested() if isinstance(inputs, NestedInputs) else inputs
        return super()._run_layer(inputs, mask, training, kwargs or {}, keep_cache)

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[..., Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Prints the layers, their output shapes and numbers of weights, as Keras does.

        Args:
            line_length: Width in characters.
            positions: Ends of the columns, as fractions of the width.
            print_fn: Called with the text instead of printing.
            expand_nested: Show the layers of nested models.
            show_trainable: Show a column that says which layers are trained.
            layer_range: Names of the first and the last layer to show.
        """
        from recurra.models.summary import print_summary

        print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True, **kwargs: Any) -> None:
        """Saves the model as a `.keras` file or a legacy `.h5` one, with the optimizer's state if it is compiled.

        Args:
            filepath: Ends in ".keras", ".h5" or ".hdf5".
            overwrite: Whether a file there is replaced.
            **kwargs: `include_optimizer`: whether to save the optimizer's state, and in `.h5` what `compile` was told.
                Keras's `zipped` and `save_format` at their defaults.

        Raises:
            ValueError: If the ending is another, the file exists and may not be replaced, the model is not built, or it
                shares a layer with a model within it.
        """
        from recurra.interop import keras_file

        keras_file.save_model(self, filepath, overwrite=overwrite, **kwargs)

    def save_weights(
        self, filepath: str | os.PathLike[str], overwrite: bool = True, max_shard_size: float | None = None
    ) -> None:
        """Saves the weights as a `.weights.h5` file.

        Args:
            filepath: The file.
            overwrite: Whether to replace a file that is there.
            max_shard_size: None: the weights are one file.

        Raises:
            ValueError: If the ending is another, the file exists and may not be replaced, or the model is not built.
        """
        from recurra.interop import keras_file

        if max_shard_size is not None:
            raise ValueError(expected("save_weights", "max_shard_size=None: the weights are one file", max_shard_size))
        keras_file.save_weights(self, filepath, overwrite=overwrite)

    def load_weights(self, filepath: str | os.PathLike[str], skip_mismatch: bool = False, **kwargs: Any) -> None:
        """Reads the weights of a `.weights.h5` or `.keras` file, or a `.h5` of Keras 2, into the model, all or none.

        Args:
            filepath: The file.
            skip_mismatch: Whether layers whose weights differ from the file's in number or shape stay as they are, with
                a warning, and the others are read.
            **kwargs: `allow_nonfinite`: whether weights may hold NaN or infinity. Those of Keras at their defaults.

        Raises:
            FileFormatError: If the file is not sound or does not fit the model.
            ValueError: If the model is not built, or for another option.
        """
        from recurra.interop import keras_file

        keras_file.load_weights(self, filepath, skip_mismatch, **kwargs)

    def export(
        self,
        filepath: str | os.PathLike[str],
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        *,
        opset_version: int | None = None,
        **options: Any,
    ) -> None:
        """Writes the model as it predicts to a file for other programs: ONNX.

        Args:
            filepath: Where; an existing file is replaced.
            format: "onnx"; the default is Keras's.
            verbose, input_signature: Accepted as by Keras, change nothing.
            opset_version: That of the operators which are written, 17, or None.
            options: Those of `interop.to_onnx`.

        Raises:
            MissingExtraError: If onnx is not installed.
            ValueError: If it is another format or opset, or ONNX cannot say what a layer does.
        """
        from recurra.interop.onnx_file import OPSET, save_onnx

        if format != "onnx":
            hint = "or save a .keras file, which Keras opens and exports further"
            raise ValueError(expected("export", "format='onnx'", repr(format), hint))
        if opset_version not in (None, OPSET):
            hint = "onnx.version_converter writes others from the file"
            raise ValueError(expected("export", f"opset_version={OPSET} or None", repr(opset_version), hint))
        save_onnx(self, filepath, **options)

    def to_json(self, **kwargs: Any) -> str:
        """Returns the architecture and what `compile` was told as JSON; `models.model_from_json` reads it."""
        import json

        config = saving.serialize_keras_object(self) | {"compile_config": self.get_compile_config() or {}}
        return json.dumps(config, **kwargs)

    def reset_states(self) -> None:
        """Sets the stored states of all stateful layers to zero."""
        for layer in self.layers:
            reset = getattr(layer, "reset_states", None)
            if reset is not None:
                reset()

    reset_state = reset_states


def _are_ends(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Returns whether arguments of a constructor are the inputs and outputs of a graph."""
    return len(args) >= 2 or ("outputs" in kwargs and (bool(args) or "inputs" in kwargs))


def _with_functional(cls: type) -> type:
    """Returns `cls` with Functional in place of Model among its bases, as Keras does it when a graph is given."""
    from recurra.models.functional import Functional

    if cls is Model:
        return Functional
    if issubclass(cls, Model) and not issubclass(cls, Functional):
        cls.__bases__ = tuple(map(_with_functional, cls.__bases__))
    return cls
