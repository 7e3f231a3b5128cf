"""Keras's own files, both ways: `.keras` (a zip) and `.weights.h5` (HDF5).

    m.keras             metadata.json, config.json, model.weights.h5, stored uncompressed
    m.weights.h5        see `keras_weights`

A loader takes classes from a closed table and arrays of the very shapes that the model has; it never runs code, follows
a link or opens another file. Weights that the file does not hold take no memory: a config may not ask for more bytes
than its weights have, its metrics not for `METRICS_ROOM` beyond them.
"""

from __future__ import annotations

import datetime
import io
import json
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from recurra import saving
from recurra._checks import expected
from recurra._file_limits import limited_to
from recurra._files import is_legacy, path_of, with_ending, write_atomically
from recurra._owners import is_own
from recurra._signals import HeldSignals
from recurra.errors import FileFormatError, MissingFileError
from recurra.interop.hdf5_reader import open_hdf5
from recurra.interop.keras_weights import (
    SKIP,
    UNSOUND,
    assign_weights,
    check_built,
    parts_of,
    stores_itself,
    told,
    weights_bytes,
)
from recurra.interop.zip_reader import Archive
from recurra.layers.base import Layer
from recurra.models import Model, Sequential
from recurra.models.functional import Functional, takes_graph

KERAS_VERSION = "3.15.1"  # the version whose files these are
WEIGHTS = "model.weights.h5"
MEMBERS = ("metadata.json", "config.json", WEIGHTS)
LARGEST_CONFIG = 2**22  # bytes, and eight more for each byte of weights: a config may hold them as constants
METRICS_ROOM = 2**25  # bytes: metrics may take as much memory as the weights, and this
MOST_VALUES = 2**17  # in a config, and one more for each byte of weights


def save_model(
    model: Any,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    zipped: bool | None = None,
    *,
    include_optimizer: bool = True,
    save_format: Any = None,
) -> None:
    """Writes a `.keras` file, or a legacy `.h5` one, atomically.

    Args:
        model: A built model; if it is compiled, the optimizer's state is saved too.
        filepath: Ends in ".keras", ".h5" or ".hdf5".
        overwrite: Whether a file there is replaced.
        zipped: Must be True or None.
        include_optimizer: Whether the optimizer's state is saved; that it is compiled is in `.keras`, in any case.
        save_format: Ignored, as in Keras: the ending tells it.

    Raises:
        ValueError: If the ending is another, the file exists and may not be replaced, an option is another, or a layer
            is shared between models within each other.
    """
    if zipped is False:
        raise ValueError(expected("saving", "zipped=True", zipped, "a .keras file is one archive"))
    path = path_of("saving", filepath)
    path = _writable(filepath, path.suffix if is_legacy(path) else ".keras", overwrite)
    if not is_legacy(path):
        write_atomically(path, model_bytes(model, {}, include_optimizer))
        return
    from recurra.interop import keras2_file

    _refuse_shared(model, model, {})
    write_atomically(path, keras2_file.model_bytes(model, include_optimizer))
    warnings.warn(f"{path.name} is in a legacy format: {with_ending(path.name, '.keras')}", stacklevel=3)


def model_bytes(model: Any, extra_members: dict[str, bytes], include_optimizer: bool = True) -> bytes:
    """Returns what a `.keras` file of the model holds, with more members, which are to lie in assets/."""
    _refuse_shared(model, model, {})
    _refuse_assets(model, "save_assets")
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    members = {
        "metadata.json": json.dumps({"keras_version": KERAS_VERSION, "date_saved": now}).encode(),
        "config.json": model.to_json().encode(),
        WEIGHTS: weights_bytes(model, include_optimizer),
        **extra_members,
    }
    buffer = io.BytesIO()
    with HeldSignals(), zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # closing half of one is an error
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def _refuse_shared(layer: Layer, place: Layer, places: dict[int, Layer]) -> None:
    """Raises ValueError for a layer in two places that a config describes apart: it would come back as two layers.

    Args:
        layer: What is looked through.
        place: Itself, or what it is a part of, if a class of the caller's makes that whole.
        places: Those of the layers that were met.
    """
    for inner in layer._sublayers():
        other = places.setdefault(id(inner), place)
        if other is not place and inner.variables:
            got, hint = f"{inner.name!r} in {other.name!r} and {place.name!r}", "save_weights holds it once"
            raise ValueError(expected("saving", "each layer within one model or wrapper", got, hint))
        by_config = (
            is_own(type(place))
            or isinstance(place, Sequential)
            or (isinstance(place, Functional) and takes_graph(type(place)))
        )
        _refuse_shared(inner, inner if by_config else place, places)


def _refuse_assets(model: Any, method: str) -> None:
    """Raises ValueError for a layer of the caller's own that keeps files beside its weights."""
    for _, layer in parts_of(model):
        if hasattr(layer, method):
            what, hint = f"layers without {method}()", "keep arrays, with save_own_variables and load_own_variables"
            raise ValueError(expected("a .keras file", what, f"{type(layer).__name__} {layer.name!r}", hint))


def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: Any = None,
    compile: bool = True,
    safe_mode: bool = True,
    allow_nonfinite: bool = False,
) -> Any:
    """Reads a `.keras` file or a whole-model `.h5`; see `recurra.models.load_model`."""
    if not safe_mode:
        raise ValueError(expected("load_model", "safe_mode=True", safe_mode, "a file never runs code here"))
    path = _readable(filepath, (".keras", ".h5", ".hdf5"))
    if not path.name.endswith(".keras"):
        from recurra.interop import keras2_file

        return keras2_file.load_model(path, custom_objects, compile, allow_nonfinite)
    with open(path, "rb") as file:
        archive = open_archive(file, path.name)
        weights = archive.members[WEIGHTS]
        text = archive.read("config.json", LARGEST_CONFIG + 8 * weights.packed)
        try:
            model, config = model_from_config(text, weights.size, weights.packed, custom_objects, path)
        except FileFormatError as error:
            _refuse_keras2(archive, error)
            raise
        if compile and config.get("compile_config"):
            compile_model(model, config["compile_config"], weights.size, custom_objects, path)
        _refuse_assets(model, "load_assets")
        with open_hdf5(*_weights_place(archive, model)) as weights_file:
            assign_weights(model, weights_file, allow_nonfinite)
    return model


def compile_model(
    model: Any,
    config: Any,
    weight_bytes: int,
    custom_objects: Any,
    path: Path,
    what: str = "compile_config",
    hint: str = "load_model(path, compile=False) leaves it out",
) -> None:
    """Compiles a model as its file says; raises FileFormatError if that is not sound.

    Args:
        model: The model.
        config: What `compile` was told.
        weight_bytes: The size of the file's weights.
        custom_objects: As of `load_model`.
        path: The file.
        what: What the file calls the config, for the error.
        hint: What to do then.
    """
    try:
        limits = limited_to(weight_bytes + METRICS_ROOM)
        with saving.CustomObjectScope(custom_objects), saving.closed_table(), limits:
            model.compile_from_config(config)
    except UNSOUND as error:
        raise FileFormatError(expected("load_model", f"a sound {what} in {path.name}", told(error), hint)) from error


def model_from_config(
    text: str | bytes,
    weight_bytes: int,
    file_bytes: int,
    custom_objects: Any,
    path: Path,
    translate: Callable[[Any], Any] | None = None,
) -> tuple[Any, Any]:
    """Returns the model of a config in JSON, with weights of zeros, and the config.

    Args:
        text: The config.
        weight_bytes: The most that its weights may take.
        file_bytes: The size of the file that holds the weights.
        custom_objects: As of `load_model`.
        path: The file.
        translate: Puts the config of another version into the words of this one.

    Raises:
        FileFormatError: If the config is not sound.
    """
    try:
        config = read_json(text, MOST_VALUES + file_bytes)
        if translate is not None:
            config = translate(config)
        described = {key: value for key, value in config.items() if key != "compile_config"}
        with limited_to(weight_bytes, weights_follow=True), saving.closed_table():
            model = saving.deserialize_keras_object(described, custom_objects=custom_objects)
    except FileFormatError:
        raise
    except UNSOUND as error:
        raise FileFormatError(expected("load_model", f"a sound config in {path.name}", told(error))) from error
    if not isinstance(model, Model):
        raise FileFormatError(expected("load_model", f"a model in {path.name}", type(model).__name__))
    if not model.built:
        raise FileFormatError(expected("load_model", f"a built model in {path.name}", "one without an input shape"))
    return model, config


def _refuse_keras2(archive: Archive, error: FileFormatError) -> None:
    """Raises FileFormatError, because of `error`, if the file is one of Keras 2.12 to 2.15: its configs are others."""
    try:
        version = str(read_json(archive.read("metadata.json", LARGEST_CONFIG), MOST_VALUES)["keras_version"])
    except UNSOUND:
        return
    if version.startswith("2."):
        hint = "save the model there as .h5, which is read here"
        raise FileFormatError(expected(archive.name, "a file of Keras 3", f"one of Keras {version}", hint)) from error


def read_json(text: str | bytes, most_values: int) -> Any:
    """Returns what JSON says, if that is at most so many values: they take far more memory than the text.

    Raises:
        ValueError: If it is not sound, or too much.
    """
    data = text.encode() if isinstance(text, str) else text
    count = sum(map(data.count, (b"[", b"{", b",")))
    if count > most_values:
        raise ValueError(expected("JSON", f"at most {most_values} values", count))
    return json.loads(text)


def save_weights(model: Any, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Writes a `.weights.h5` file, atomically; see `save_model`."""
    write_atomically(_writable(filepath, ".weights.h5", overwrite), weights_bytes(model))


def load_weights(
    model: Any,
    filepath: str | os.PathLike[str],
    skip_mismatch: bool = False,
    allow_nonfinite: bool = False,
    **options: Any,
) -> None:
    """Reads the weights of a `.weights.h5` or `.keras` file, or a `.h5` of Keras 2, into a built model, all or none.

    Args:
        model: The model.
        filepath: The file.
        skip_mismatch: Whether layers whose weights differ from the file's in number or shape stay as they are, with
            one warning that names them.
        allow_nonfinite: Whether weights may hold NaN or infinity.
        options: Those of Keras 2 at their defaults.

    Raises:
        FileFormatError: If the file is not sound or does not fit the model.
    """
    for name, value in options.items():
        if value:
            raise ValueError(expected("load_weights", "no other arguments", f"{name}={value!r}"))
    from recurra.interop import keras2_file

    path = _readable(filepath, (".weights.h5", ".keras", ".h5", ".hdf5"))
    check_built(model, "loading")
    with open(path, "rb") as file:
        archive = open_archive(file, path.name) if path.name.endswith(".keras") else None
        place = (file, path.name) if archive is None else _weights_place(archive, model, skip_mismatch)
        with open_hdf5(*place) as weights_file:
            if archive is None and keras2_file.holds_weights(weights_file):
                keras2_file.load_weights(model, weights_file, allow_nonfinite, skip_mismatch)
            else:
                assign_weights(model, weights_file, allow_nonfinite, skip_mismatch, SKIP)


# Paths and the archive ----------------------------------------------------------------------------------------------


def _writable(filepath: str | os.PathLike[str], ending: str, overwrite: bool) -> Path:
    path = path_of("saving", filepath)
    if not path.name.endswith(ending):
        what, hint = f"a filepath that ends in {ending!r}", with_ending(filepath, ending)
        raise ValueError(expected("saving", what, repr(str(filepath)), hint))
    if path.is_dir():
        raise IsADirectoryError(expected("saving", "the path of a file", f"the directory {path}"))
    if path.exists() and not overwrite:
        raise ValueError(expected("saving", "a new filepath", f"the existing {path}", "pass overwrite=True"))
    return path


def _readable(filepath: str | os.PathLike[str], endings: tuple[str, ...]) -> Path:
    path = path_of("loading", filepath)
    if not path.name.endswith(endings):
        raise ValueError(expected("loading", f"a filepath that ends in {' or '.join(endings)}", repr(str(filepath))))
    if not path.is_file():
        raise MissingFileError(expected("loading", "an existing file", repr(str(filepath))))
    return path


def open_archive(file: BinaryIO, name: str) -> Archive:
    """Returns the archive of a `.keras` file, after the names of its members were checked.

    Raises:
        FileFormatError: If it has other members, or is not sound.
    """
    archive = Archive(file, name)
    for member in archive.members:
        if member not in MEMBERS and not _harmless_asset(member):
            raise FileFormatError(expected(name, f"the members {', '.join(MEMBERS)}", repr(member[:80])))
    missing = [member for member in MEMBERS if member not in archive.members]
    if missing:
        raise FileFormatError(expected(name, f"the members {', '.join(MEMBERS)}", f"no {missing[0]}"))
    return archive


def archive_documents(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns what metadata.json and config.json of a `.keras` file say.

    Raises:
        FileFormatError: If the archive, or one of them, is not sound.
    """
    with open(path, "rb") as file:
        archive = open_archive(file, path.name)
        room = archive.members[WEIGHTS].packed
        texts = [archive.read(name, LARGEST_CONFIG + 8 * room) for name in ("metadata.json", "config.json")]
    try:
        metadata, config = (read_json(text, MOST_VALUES + room) for text in texts)
    except UNSOUND as error:
        raise FileFormatError(expected(path.name, "sound JSON", told(error))) from error
    if not isinstance(metadata, dict) or not isinstance(config, dict):
        raise FileFormatError(expected(path.name, "metadata and config as objects", "others"))
    return metadata, config


def _weights_place(archive: Archive, model: Any, of_any_model: bool = False) -> tuple[BinaryIO, str, int, int]:
    """Returns where the weights lie, if they are not far larger than the model needs them, its optimizer included.

    Args:
        archive: The file.
        model: The model.
        of_any_model: Whether they may be those of a larger model, if they take no more memory than the file; so may
            what a layer or an optimizer of the caller's own stores.
    """
    bytes_needed = sum(variable.value.nbytes for variable in model.weights)
    groups = sum(1 + len(layer._seed_generators) for _, layer in parts_of(model))
    largest = 2**20 + 16 * bytes_needed + 2**14 * groups
    optimizers = [] if getattr(model, "optimizer", None) is None else [model.optimizer]
    if of_any_model or any(map(stores_itself, [*(layer for _, layer in parts_of(model)), *optimizers])):
        largest = max(largest, archive.members[WEIGHTS].packed)
    file, start, size = archive.place(WEIGHTS, largest)
    return file, archive.name, start, size


def _harmless_asset(name: str) -> bool:
    """Keras may add an assets folder, which the layers here never use: it is left unread."""
    parts = name.split("/")
    return parts[0] == "assets" and len(parts) > 1 and ".." not in parts and "\\" not in name
