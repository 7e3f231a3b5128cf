"""Objects to plain dictionaries and back, in Keras's own form.

    {"module": "keras.layers", "class_name": "LSTM", "config": {...}, "registered_name": None}

Classes are found in a closed table: those that recurra decorates with `builtin`, those that the program registers, and
those passed as `custom_objects`. Nothing is imported, unpickled or evaluated because a file names it.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

import numpy as np

from recurra._arguments import KnowsArguments, open_arguments
from recurra._checks import did_you_mean, expected
from recurra._file_limits import check_sizes
from recurra._memory import while_it_lives
from recurra._missing import says_what_to_do

if TYPE_CHECKING:
    from recurra.models import load_model, save_model

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]

_FEW = 20  # names that an error lists

_Class = TypeVar("_Class", bound=type)
_Named = TypeVar("_Named", bound=Callable[..., Any])  # a class or a function

_builtin: dict[str, dict[str, type]] = {}  # by class name, then by Keras's module: losses and metrics share names
_registered: dict[str, Any] = {}
_registered_names: dict[Any, str] = {}
_scopes: ContextVar[tuple[dict[str, Any], ...]] = ContextVar("scopes", default=())  # of this thread, inner ones last
# The program's own classes that it has serialized itself.
_serialized: WeakValueDictionary[tuple[str, str], type] = WeakValueDictionary()
_closed: ContextVar[bool] = ContextVar("closed", default=False)


def builtin(module: str) -> Callable[[_Class], _Class]:
    """Decorator: puts a class of recurra into the closed table, as Keras's `module` would name it."""

    def decorate(cls: _Class) -> _Class:
        cls._keras_module = module  # type: ignore[attr-defined]
        _builtin.setdefault(cls.__name__, {})[module] = cls
        return cls

    return decorate


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[_Named], _Named]:
    """Decorator: lets files name this class or function of the caller's as `package>name`.

    Raises:
        ValueError: For a class without `get_config`.
    """

    def decorate(obj: _Named) -> _Named:
        if inspect.isclass(obj) and not hasattr(obj, "get_config"):
            raise ValueError(expected("register_keras_serializable", "a class with get_config()", obj.__name__))
        registered_name = f"{package}>{name or obj.__name__}"
        _registered[registered_name] = obj
        _registered_names[obj] = registered_name
        return obj

    return decorate


def get_registered_name(obj: Any) -> str:
    """Returns the name that `obj` was registered under, else its own."""
    return _registered_names.get(obj, obj.__name__)


def get_registered_object(name: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """Returns the class or function registered as `name`, or None."""
    for table in (custom_objects or {}, *reversed(_scopes.get()), _registered):
        if name in table:
            return table[name]
    return None


class CustomObjectScope:
    """Within the `with` block, files may name the given classes and functions; other threads do not see them.

    Args:
        custom_objects: Names and what they stand for.
    """

    def __init__(self, custom_objects: dict[str, Any]):
        self.custom_objects = dict(custom_objects or {})

    def __enter__(self) -> CustomObjectScope:
        _scopes.set((*_scopes.get(), self.custom_objects))
        return self

    def __exit__(self, *error: object) -> None:
        _scopes.set(_scopes.get()[:-1])


custom_object_scope = CustomObjectScope


def get_custom_objects() -> dict[str, Any]:
    """Returns the table of classes and functions that the program registered; it may be added to."""
    return _registered


@contextlib.contextmanager
def closed_table() -> Iterator[None]:
    """Within the `with` block, classes that are neither recurra's nor registered are refused: for what files name.

    Outside it, a config may also name a class that this program has serialized itself, as in `clone_model`.
    """
    token = _closed.set(True)
    try:
        yield
    finally:
        _closed.reset(token)


class Configurable(KnowsArguments):
    """An object whose constructor's parameters are its attributes: `get_config` reads the signature."""

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, ready for JSON; `from_config` takes them."""
        return {name: serialize_keras_object(getattr(self, name)) for name in parameters(type(self))}

    @classmethod
    @open_arguments
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """Builds the object that `get_config` described; `custom_objects` are classes that it may name."""
        return cls(**{name: deserialize_keras_object(value, custom_objects) for name, value in config.items()})


@while_it_lives
def parameters(cls: Any) -> tuple[str, ...]:
    """Returns the names of the constructor's named parameters, those that it passes on to its bases included."""
    names: dict[str, None] = {}
    for base in cls.__mro__:
        init = vars(base).get("__init__")
        if init is None or base is object:
            continue
        found = list(inspect.signature(init).parameters.values())[1:]
        named = (p for p in found if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD))
        names.update((p.name, None) for p in named)
        if not any(p.kind is p.VAR_KEYWORD for p in found):
            break
    return tuple(names)


def serialize_keras_object(obj: Any) -> Any:
    """Returns `obj` in a form that JSON can hold.

    Raises:
        TypeError: For an object without `get_config`.
        ValueError: For a lambda: files hold no code.
    """
    if obj is None or isinstance(obj, (str, bool, int, float)):
        return obj
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, np.dtype):
        return obj.name
    if isinstance(obj, np.ndarray):
        if obj.dtype.kind not in "biuf":  # such as text, which comes back as a list
            return serialize_keras_object(obj.tolist())
        config = {"value": obj.tolist(), "dtype": obj.dtype.name}
        return {"class_name": "__numpy__", "config": config}
    if isinstance(obj, slice):
        parts = {name: serialize_keras_object(getattr(obj, name)) for name in ("start", "stop", "step")}
        return {"class_name": "__slice__", "config": parts}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, tuple):
        return tuple(serialize_keras_object(item) for item in obj)
    if isinstance(obj, list):
        return [serialize_keras_object(item) for item in obj]
    if isinstance(obj, dict):
        return {str(key): serialize_keras_object(value) for key, value in obj.items()}
    if inspect.isfunction(obj) or inspect.isbuiltin(obj):
        # A name alone is read back only where an activation is meant, as in Keras.
        return obj.__name__ if obj.__module__ == "recurra.activations" else _serialize_function(obj)
    if hasattr(obj, "get_config"):
        return _serialize_instance(obj)
    raise TypeError(expected("serialize_keras_object", "an object with get_config()", repr(obj)))


def _serialize_function(function: Any) -> Any:
    name = getattr(function, "__name__", "")
    if name == "<lambda>":
        raise ValueError(
            expected(
                "serialize_keras_object", "a named function", "a lambda", "files hold no code; register a function"
            )
        )
    return {
        "module": "builtins",
        "class_name": "function",
        "config": name,
        "registered_name": get_registered_name(function),
    }


def written_class(obj: Any) -> Any:
    """Returns the class that files name for an object: a Lambda is written as the model that it made."""
    return getattr(obj, "_written_class", type(obj))


def _serialize_instance(obj: Any) -> dict[str, Any]:
    cls = written_class(obj)
    known = cls in _builtin.get(cls.__name__, {}).values()
    module = cls._keras_module if known else cls.__module__
    if not known:
        _serialized[module, cls.__name__] = cls
    serialized = {
        "module": module,
        "class_name": cls.__name__,
        "config": serialize_keras_object(obj.get_config()),  # it may hold numbers of NumPy's
        "registered_name": None if known and not module.startswith("keras.src") else get_registered_name(cls),
    }
    if hasattr(obj, "get_build_config"):
        build_config = obj.get_build_config()
        if build_config is not None:
            serialized["build_config"] = serialize_plain(build_config)
    return serialized


def serialize_plain(value: Any) -> Any:
    """Returns nested shapes and the like as JSON would hold them: tuples as lists."""
    if isinstance(value, (list, tuple)):
        return [serialize_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: serialize_plain(item) for key, item in value.items()}
    return value


def deserialize_keras_object(config: Any, custom_objects: dict[str, Any] | None = None, safe_mode: bool = True) -> Any:
    """Builds what `serialize_keras_object` described.

    Args:
        config: Its result, or anything nested of such results.
        custom_objects: Classes and functions by name, beside those registered.
        safe_mode: Must be True: there is no other mode here.

    Raises:
        TypeError: A class that is in no table.
        ValueError: A function that is in no table, or code in place of a name.
    """
    if not safe_mode:
        raise ValueError(expected("deserialize_keras_object", "safe_mode=True", safe_mode, "files never run code here"))
    with CustomObjectScope(custom_objects) if custom_objects else contextlib.nullcontext():
        return _deserialize(config)


def deserialize_named(config: Any, get: Callable[[Any], Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """Returns what `deserialize_keras_object` builds; names and configs stand for what a module's `get` makes of them.

    Raises:
        TypeError, ValueError: As of `deserialize_keras_object`, and for a name that `get` does not know.
    """
    if not isinstance(config, (str, dict)):
        return deserialize_keras_object(config, custom_objects)
    with CustomObjectScope(custom_objects or {}):
        return get(config)


def _deserialize(config: Any) -> Any:
    if isinstance(config, (list, tuple)):
        return type(config)(_deserialize(item) for item in config)
    if not isinstance(config, dict):
        return config
    if "class_name" not in config:
        return {key: _deserialize(value) for key, value in config.items()}
    class_name = config["class_name"]
    if class_name == "__tuple__":
        return tuple(_deserialize(item) for item in config["items"])
    if class_name == "__slice__":
        return slice(*(config["config"][name] for name in ("start", "stop", "step")))
    if class_name == "__ellipsis__":
        return Ellipsis
    if class_name in ("__numpy__", "__tensor__"):
        return _array(config["config"]["value"], config["config"]["dtype"])
    if class_name == "function":
        return _find_function(config)
    if class_name == "DTypePolicy":
        return config["config"]["name"]
    if "config" not in config:
        return {key: _deserialize(value) for key, value in config.items()}
    cls = find_class(class_name, config.get("registered_name"), config.get("module"))
    if not isinstance(config["config"], dict):
        got = type(config["config"]).__name__
        raise TypeError(expected("deserialize_keras_object", f"a config of {class_name} as a dict", got))
    known = parameters(cls)
    # Newer versions of Keras write options that do not exist here; None is what happens anyway.
    options = {key: value for key, value in config["config"].items() if key in known or value is not None}
    if _closed.get():
        check_sizes(class_name, options)
    instance = cls.from_config(options)
    build_config = config.get("build_config")
    if build_config and hasattr(instance, "build_from_config") and not getattr(instance, "built", False):
        instance.build_from_config(build_config)
    return instance


def _array(value: Any, dtype: Any) -> np.ndarray:
    if np.dtype(dtype).kind not in "biuf":
        raise ValueError(expected("deserialize_keras_object", "an array of numbers", f"one of {dtype}"))
    return np.array(value, dtype=dtype)


def find_class(class_name: str, registered_name: str | None = None, module: str | None = None) -> Any:
    """Returns the class of that name from the closed table.

    Args:
        class_name: Its name.
        registered_name: The name it was registered under.
        module: Keras's module, such as "keras.losses": it tells classes of one name apart.

    Raises:
        TypeError: No such class is known.
    """
    for name in (registered_name, class_name):
        found = get_registered_object(name) if name else None
        if inspect.isclass(found):
            return found
    if class_name in ("Lambda", "__lambda__"):
        raise TypeError(
            expected("deserialize_keras_object", "a known class", "a Lambda layer", "it holds code, which is never run")
        )
    if class_name in _builtin:
        by_module = _builtin[class_name]
        folders = str(module).split(".")  # Keras also writes "keras.src.losses.losses"
        near = (cls for name, cls in by_module.items() if name.rpartition(".")[2] in folders)
        return by_module.get(str(module)) or next(near, next(iter(by_module.values())))
    found = None if _closed.get() else _serialized.get((str(module), class_name))
    if found is None:
        raise TypeError(
            expected(
                "deserialize_keras_object",
                "a known class",
                repr(class_name),
                "pass it in custom_objects or decorate it with recurra.saving.register_keras_serializable()",
            )
        )
    return found


def _find_function(config: dict[str, Any]) -> Any:
    from recurra import activations, metrics

    name = config["config"]
    for candidate in (config.get("registered_name"), name):
        found = get_registered_object(candidate) if candidate else None
        if callable(found):
            return found
    for table in (activations.FUNCTIONS, metrics.FUNCTIONS):  # those of losses are metrics too
        if name in table:
            return table[name]
    raise ValueError(
        expected("deserialize_keras_object", "a known function", repr(name), "pass it in custom_objects or register it")
    )


def _in_full(config: dict[str, Any], by_name: dict[str, Any]) -> dict[str, Any]:
    """Returns the config of what its class_name means among `by_name`, if neither a module nor the program says it."""
    name = str(config.get("class_name"))
    found = by_name.get(name)
    if found is None or config.get("module") or config.get("registered_name") or get_registered_object(name):
        return config
    if not inspect.isclass(found):
        return {"class_name": "function", "config": found.__name__}
    module = found._keras_module  # type: ignore[attr-defined]
    return {**config, "module": module, "class_name": found.__name__, "config": config.get("config") or {}}


def resolve(identifier: Any, by_name: dict[str, Any], who: str, what: str) -> Any:
    """Returns the object that a caller means by a name, a class, a config, an object or a function; None for None.

    Args:
        identifier: What the caller gave.
        by_name: The built-in classes and functions by their names.
        who, what: For the error: "initializers.get", "an initializer".

    Raises:
        ValueError: If there is none of that name, or a config is of something else.
    """
    if isinstance(identifier, dict):
        found = deserialize_keras_object(_in_full(identifier, by_name))
        if callable(found):
            return found
    elif isinstance(identifier, str):
        found = get_registered_object(identifier) or by_name.get(identifier)
        if found is not None:
            return found() if inspect.isclass(found) else found
    elif inspect.isclass(identifier):
        return identifier()
    elif identifier is None or callable(identifier):
        return identifier
    names = [name for name in by_name if name.islower()]
    hint = f"the names are {', '.join(map(repr, names))}" if len(names) < _FEW else None
    if isinstance(identifier, str):
        hint = of_another_kind(identifier, by_name) or did_you_mean(identifier, by_name) or hint
    raise ValueError(expected(who, f"{what} or its name", repr(identifier), hint))


def of_another_kind(name: str, by_name: dict[str, Any]) -> str | None:
    """Returns a hint for the name of an optimizer, a loss or a metric that is not in `by_name`; None for others."""
    for kind, module in (("an optimizer", "optimizers"), ("a loss", "losses"), ("a metric", "metrics")):
        table = getattr(sys.modules.get(f"recurra.{module}"), "_BY_NAME", by_name)
        if table is not by_name and (name in table or name.lower() in table):
            return f"it is the name of {kind}"
    return None


def save_weights(model: Any, filepath: Any, overwrite: bool = True, max_shard_size: float | None = None) -> None:
    """Does what `model.save_weights` does with `overwrite` and `max_shard_size`."""
    model.save_weights(filepath, overwrite, max_shard_size)


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
    """Does what `model.load_weights` does with `skip_mismatch` and the other options."""
    model.load_weights(filepath, skip_mismatch, **kwargs)


_missing = says_what_to_do(__name__)


def _attribute(name: str) -> Any:
    if name in ("load_model", "save_model"):  # as keras.saving has them; models are built on this module
        from recurra import models

        return getattr(models, name)
    return _missing(name)


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = _attribute
