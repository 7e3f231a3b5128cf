"""Keras's own files, both ways: `.keras` (a zip) and `.weights.h5` (HDF5).

    m.keras             metadata.json, config.json, model.weights.h5, stored uncompressed
    m.weights.h5        layers/<class>[_k]/.../vars/0, 1, ...   and optimizer/vars/0, 1, ...

A loader takes classes from a closed table and arrays of the very shapes that the model has; it never runs code, follows
a link or opens another file. Weights that the file does not hold take no memory: a config may not ask for more bytes
than its weights have. All weights are read and checked before the first one is changed.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import os
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from recurra import saving
from recurra._checks import expected
from recurra._files import write_atomically
from recurra.errors import FileFormatError
from recurra.layers.base import Layer, snake_case, weights_of_at_most
from recurra.variables import Variable

KERAS_VERSION = "3.15.1"  # the version whose files these are
MEMBERS = {"metadata.json": 2**20, "config.json": 2**26, "model.weights.h5": 2**40}  # names and largest sizes
# What h5py raises for damaged files; found by changing files at random.
HDF5_ERRORS = (
    OSError,
    KeyError,
    RuntimeError,
    TypeError,
    ValueError,
    OverflowError,
    IndexError,
    MemoryError,
    SystemError,
)
LARGEST_RATIO = 100  # of a compressed member, beyond which it is taken for a bomb; Keras does not compress


def save_model(model: Any, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Writes a `.keras` file, atomically.

    Args:
        model: A built model; if it is compiled, the optimizer's state is saved too.
        filepath: Ends in ".keras".
        overwrite: Whether a file there is replaced.

    Raises:
        ValueError: If the ending is another, or the file exists and may not be replaced.
    """
    write_atomically(_writable(filepath, ".keras", overwrite), model_bytes(model, {}))


def model_bytes(model: Any, extra_members: dict[str, bytes]) -> bytes:
    """Returns what a `.keras` file of the model holds, with more members, which are to lie in assets/."""
    config = saving.serialize_keras_object(model)
    compile_config = model.get_compile_config()
    config["compile_config"] = compile_config or {}
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    members = {
        "metadata.json": json.dumps({"keras_version": KERAS_VERSION, "date_saved": now}).encode(),
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": _weights_bytes(model),
        **extra_members,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: Any = None,
    compile: bool = True,
    safe_mode: bool = True,
    allow_nonfinite: bool = False,
) -> Any:
    """Reads a `.keras` file, or a whole-model `.h5` of Keras 2; see `recurra.models.load_model`."""
    if not safe_mode:
        raise ValueError(expected("load_model", "safe_mode=True", safe_mode, "a file never runs code here"))
    path = _readable(filepath, (".keras", ".h5", ".hdf5"))
    if not path.name.endswith(".keras"):
        from recurra.interop import keras2_file

        return keras2_file.load_model(path, custom_objects, allow_nonfinite)
    members = read_archive(path)
    model, config = model_from_config(members["config.json"], len(members["model.weights.h5"]), custom_objects, path)
    if compile and config.get("compile_config"):
        try:
            with saving.CustomObjectScope(custom_objects):
                model.compile_from_config(config["compile_config"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise FileFormatError(
                expected("load_model", f"a sound compile_config in {path.name}", one_line(error), "pass compile=False")
            ) from error
    _assign_weights(model, members["model.weights.h5"], path.name, allow_nonfinite)
    return model


def model_from_config(
    text: str | bytes,
    weight_bytes: int,
    custom_objects: Any,
    path: Path,
    translate: Callable[[Any], Any] | None = None,
) -> tuple[Any, Any]:
    """Returns the model of a config in JSON, with new weights of `weight_bytes` at the most, and the config.

    `translate` puts the config of another version into the words of this one.

    Raises:
        FileFormatError: If the config is not sound.
    """
    try:
        config = json.loads(text)
        if translate is not None:
            config = translate(config)
        described = {key: value for key, value in config.items() if key != "compile_config"}
        with weights_of_at_most(weight_bytes), saving.closed_table():
            model = saving.deserialize_keras_object(described, custom_objects=custom_objects)
    except FileFormatError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        raise FileFormatError(expected("load_model", f"a sound config in {path.name}", one_line(error))) from error
    if not isinstance(model, Layer) or not hasattr(model, "compile_from_config"):
        raise FileFormatError(expected("load_model", f"a model in {path.name}", type(model).__name__))
    return model, config


def save_weights(model: Any, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Writes a `.weights.h5` file, atomically; see `save_model`."""
    write_atomically(_writable(filepath, ".weights.h5", overwrite), _weights_bytes(model))


def load_weights(model: Any, filepath: str | os.PathLike[str], allow_nonfinite: bool = False, **options: Any) -> None:
    """Reads the weights of a `.weights.h5` or `.keras` file into a built model, all or none.

    Raises:
        FileFormatError: If the file is not sound or does not fit the model.
    """
    for name, value in options.items():
        if value:
            raise ValueError(expected("load_weights", "no other arguments", f"{name}={value!r}"))
    path = _readable(filepath, (".weights.h5", ".keras"))
    data = read_archive(path)["model.weights.h5"] if path.name.endswith(".keras") else path.read_bytes()
    _assign_weights(model, data, path.name, allow_nonfinite)


# Paths and the archive ----------------------------------------------------------------------------------------------


def _writable(filepath: str | os.PathLike[str], ending: str, overwrite: bool) -> Path:
    path = Path(filepath)
    if not path.name.endswith(ending):
        raise ValueError(expected("saving", f"a filepath that ends in {ending!r}", repr(str(filepath))))
    if path.exists() and not overwrite:
        raise ValueError(expected("saving", "a new filepath", f"the existing {path}", "pass overwrite=True"))
    return path


def _readable(filepath: str | os.PathLike[str], endings: tuple[str, ...]) -> Path:
    path = Path(filepath)
    if not path.name.endswith(endings):
        raise ValueError(expected("loading", f"a filepath that ends in {' or '.join(endings)}", repr(str(filepath))))
    if not path.is_file():
        raise FileFormatError(expected("loading", "an existing file", repr(str(filepath))))
    return path


def read_archive(path: Path) -> dict[str, bytes]:
    """Returns the members of a `.keras` file, after their names and sizes were checked."""
    members: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            if sorted(name for name in names if name in MEMBERS) != sorted(MEMBERS):
                raise FileFormatError(expected(path.name, f"the members {', '.join(MEMBERS)} once each", _short(names)))
            for entry in entries:
                if entry.filename not in MEMBERS:
                    if not _harmless_asset(entry.filename):
                        raise FileFormatError(
                            expected(path.name, f"the members {', '.join(MEMBERS)}", repr(entry.filename[:80]))
                        )
                    continue
                limit = min(MEMBERS[entry.filename], LARGEST_RATIO * max(entry.compress_size, 100))
                if entry.file_size > limit:
                    raise FileFormatError(
                        expected(path.name, f"{entry.filename} of at most {limit} bytes", entry.file_size)
                    )
                with archive.open(entry) as member:
                    members[entry.filename] = member.read(entry.file_size + 1)
                if len(members[entry.filename]) != entry.file_size:
                    raise FileFormatError(expected(path.name, f"{entry.filename} of its stated size", "another"))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError, OverflowError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(expected(path.name, "a sound .keras archive", one_line(error))) from error
    return members


def _harmless_asset(name: str) -> bool:
    """Keras may add an assets folder, which the layers here never use: it is left unread."""
    return name.startswith("assets/") and ".." not in name.split("/")


def _short(names: list[str]) -> str:
    return ", ".join(repr(name[:40]) for name in names[:6]) or "none"


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


# Weights ------------------------------------------------------------------------------------------------------------


def _groups(layer: Layer, path: str = "") -> Iterator[tuple[str, str, list[Variable]]]:
    """Yields the group, the object's name and the variables of a layer and all below it, as Keras walks them."""
    own = [*layer._trainable_variables, *layer._non_trainable_variables]
    yield f"{path}vars", layer.name, own
    if hasattr(layer, "compile_from_config"):
        yield from _container(layer.layers, f"{path}layers/")  # type: ignore[attr-defined]
        return
    for name, held in layer._layers.items():
        if isinstance(held, list):
            yield from _container(held, f"{path}{name}/")
        else:
            yield from _groups(held, f"{path}{name}/")


def _container(layers: list[Layer], path: str) -> Iterator[tuple[str, str, list[Variable]]]:
    counts: Counter[str] = Counter()
    for layer in layers:
        name = snake_case(type(layer).__name__)
        unique = f"{name}_{counts[name]}" if counts[name] else name
        counts[name] += 1
        yield from _groups(layer, f"{path}{unique}/")


def _weights_bytes(model: Any) -> bytes:
    import h5py

    if not model.built:
        raise ValueError(
            expected("saving", "a built model", f"{model.name!r}", "call it on data or add an Input first")
        )
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        optimizer = getattr(model, "optimizer", None)
        if optimizer is not None and optimizer.built:
            _write_group(file, "optimizer/vars", optimizer.name, optimizer.variables)
        for group, name, variables in _groups(model):
            _write_group(file, group, name, variables)
    return buffer.getvalue()


def _write_group(file: Any, path: str, name: str, variables: list[Variable]) -> None:
    group = file.create_group(path)
    group.attrs["name"] = name
    for position, variable in enumerate(variables):
        group.create_dataset(str(position), data=variable.value)


def _assign_weights(model: Any, data: bytes, file_name: str, allow_nonfinite: bool) -> None:
    """Reads the weights, and the optimizer's state if the model is compiled, then assigns them."""

    if not model.built:
        raise ValueError(
            expected("loading", "a built model", f"{model.name!r}", "call it on data or add an Input first")
        )
    with open_hdf5(data, file_name, "sound HDF5 weights") as file:
        pairs = []
        for path, _, variables in _groups(model):
            arrays = _read_group(file, path, [variable.shape for variable in variables], file_name)
            pairs += list(zip(variables, arrays, strict=True))
        state = _read_optimizer(model, file, file_name)
    assign_all(pairs + state, file_name, allow_nonfinite)


@contextlib.contextmanager
def open_hdf5(data: bytes, file_name: str, what: str) -> Iterator[Any]:
    """Opens the bytes of an HDF5 file to read in them; whatever h5py raises becomes "FILE_NAME expected WHAT".

    Raises:
        FileFormatError: If the file is damaged.
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            yield file
    except FileFormatError:
        raise
    except HDF5_ERRORS as error:
        raise FileFormatError(expected(file_name, what, one_line(error))) from error


def assign_all(pairs: list[tuple[Variable, np.ndarray]], file_name: str, allow_nonfinite: bool) -> None:
    """Assigns arrays of the right shapes to variables, after all of them were looked at.

    Raises:
        FileFormatError: If one has NaN or infinite values and that was not allowed.
    """
    for variable, array in pairs:
        if not allow_nonfinite and not np.isfinite(array).all():
            raise FileFormatError(
                expected(
                    file_name, "finite weights", f"NaN or infinity in {variable.path!r}", "pass allow_nonfinite=True"
                )
            )
    for variable, array in pairs:
        variable.assign(array)


def _read_optimizer(model: Any, file: Any, file_name: str) -> list[tuple[Variable, np.ndarray]]:
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or "optimizer" not in file:
        return []
    if not optimizer.built:
        optimizer.build(model.trainable_weights)
    found = len(_group(file, "optimizer/vars", file_name))
    if found != len(optimizer.variables):
        warnings.warn(
            f"{file_name}: the optimizer has {len(optimizer.variables)} variables, the file {found}: "
            "its state is not restored",
            stacklevel=5,
        )
        return []
    arrays = _read_group(file, "optimizer/vars", [variable.shape for variable in optimizer.variables], file_name)
    return list(zip(optimizer.variables, arrays, strict=True))


def _group(file: Any, path: str, file_name: str) -> Any:
    """Returns a group that is reached by hard links alone."""
    import h5py

    group = file
    for name in path.split("/"):
        link = group.get(name, getlink=True)
        if link is None:
            raise FileFormatError(expected(file_name, f"the group {path!r}", "none: the file is of another model"))
        if not isinstance(link, h5py.HardLink):
            raise FileFormatError(expected(file_name, "no links", f"a link at {path!r}"))
        group = group[name]
        if not isinstance(group, h5py.Group):
            raise FileFormatError(expected(file_name, f"the group {path!r}", "a dataset"))
    return group


def _read_group(file: Any, path: str, shapes: list[tuple[int, ...]], file_name: str) -> list[np.ndarray]:
    """Returns the datasets 0, 1, ... of a group, each checked before it is read."""

    if not shapes:
        return []
    group = _group(file, path, file_name)
    if len(group) != len(shapes):
        raise FileFormatError(expected(file_name, f"{len(shapes)} weights in {path!r}", len(group)))
    return [read_dataset(file, f"{path}/{position}", shape, file_name) for position, shape in enumerate(shapes)]


def read_dataset(file: Any, path: str, shape: tuple[int, ...], file_name: str) -> np.ndarray:
    """Returns a dataset that is reached by hard links alone and is what a weight of this shape has to be.

    Raises:
        FileFormatError: Before anything of another kind or size is read.
    """
    import h5py

    parent, _, name = path.rpartition("/")
    group = _group(file, parent, file_name)
    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink) or not isinstance(group[name], h5py.Dataset):
        raise FileFormatError(expected(file_name, f"the weight {path!r}", "a link or nothing"))
    dataset = group[name]
    if dataset.shape != shape:
        raise FileFormatError(expected(file_name, f"{path!r} of shape {shape}", dataset.shape))
    if dataset.dtype.kind not in "fiu" or dataset.dtype.itemsize > 8:
        raise FileFormatError(expected(file_name, f"numbers in {path!r}", dataset.dtype))
    if dataset.external or dataset.is_virtual or dataset.chunks is not None:
        raise FileFormatError(expected(file_name, f"plain contiguous data in {path!r}", "another storage"))
    return np.asarray(dataset[()])
