"""Files made to harm or to mislead, by name: what each one holds, and words that its refusal must have.

Each entry writes one file. They begin with a sound model of the same kind and change what the name says.
"""

from __future__ import annotations

import functools
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import recurra
from recurra import layers
from recurra.interop.safetensors_file import keras_names

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
CASES: dict[str, tuple[str, str, Callable[[Path], None]]] = {}  # ending, words of the refusal, writer


def make_model() -> Any:
    """The model that all files are made from."""
    recurra.utils.clear_session()
    line = [recurra.Input((4, 3)), layers.LSTM(2, name="memory"), layers.Dense(1, name="out")]
    model = recurra.Sequential(line, name="line")
    model.compile("adam", "mse", metrics=["mae"])
    return model


@functools.cache
def _sound() -> tuple[tuple[str, bytes], ...]:
    buffer = io.BytesIO(recurra.interop.keras_file.model_bytes(make_model(), {}))
    with zipfile.ZipFile(buffer) as archive:
        return tuple((name, archive.read(name)) for name in archive.namelist())


def sound_members() -> dict[str, bytes]:
    return dict(_sound())


def sound_bytes(kind: int = zipfile.ZIP_STORED) -> bytes:
    return packed(sound_members(), kind)


def packed(members: dict[Any, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    """Returns a zip archive; the keys are names or ZipInfos."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def case(name: str, words: str, ending: str = ".keras") -> Callable[[Callable[[], bytes]], None]:
    """Decorator: the function returns the bytes of the file."""

    def add(make: Callable[[], bytes]) -> None:
        assert name not in CASES
        CASES[name] = (ending, words, lambda path: path.write_bytes(make()) and None)

    return add


# The archive --------------------------------------------------------------------------------------------------------


def archive_case(name: str, words: str, change: Callable[[bytearray], Any]) -> None:
    """A sound archive whose bytes `change` alters; it may return others."""

    def make() -> bytes:
        data = bytearray(sound_bytes())
        return bytes(change(data) or data)

    case(name, words)(make)


def member_case(name: str, words: str, **more: Any) -> None:
    """A sound archive with one more member."""
    info = zipfile.ZipInfo(more["filename"])
    info.external_attr = more.get("mode", 0o600) << 16
    case(name, words)(lambda: packed({**sound_members(), info: b"x"}))


def _directory(data: bytearray, index: int = 0) -> int:
    """Returns where the entry of a member lies in the directory."""
    at = data.rfind(b"PK\5\6")
    (at,) = struct.unpack_from("<I", data, at + 16)
    for _ in range(index):
        at += 46 + sum(struct.unpack_from("<HHH", data, at + 28))
    return at


def _patch(layout: str, offset: int, value: Any, index: int = 0) -> Callable[[bytearray], None]:
    return lambda data: struct.pack_into(layout, data, _directory(data, index) + offset, value)


def _patch_end(layout: str, offset: int, value: Any) -> Callable[[bytearray], None]:
    return lambda data: struct.pack_into(layout, data, data.rfind(b"PK\5\6") + offset, value)


archive_case("empty file", "a whole zip archive", lambda data: data.clear())
archive_case("text in place of an archive", "a whole zip archive", lambda data: b"hello\n" * 9)
archive_case("cut in half", "one without its end", lambda data: data[: len(data) // 2])
archive_case("bytes before the archive", "directory is elsewhere", lambda data: b"#!/bin/sh\n" + data)
archive_case("bytes behind the archive", "bytes behind its end", lambda data: data + b"x" * 9)
archive_case("encrypted member", "encrypted", _patch("<H", 8, 1))
archive_case("unknown packing", "stored or deflated", _patch("<H", 10, 12))
archive_case(
    "size that is a lie", "two sizes", lambda data: struct.pack_into("<II", data, _directory(data, 1) + 20, 9, 9)
)
archive_case("size of zip64 without a number", "two sizes", _patch("<I", 24, 0xFFFFFFFF))
archive_case("checksum that is wrong", "two|damaged", _patch("<I", 16, 7, 1))
archive_case("member that begins beyond the file", "ends early", _patch("<I", 42, 2**31, 2))
archive_case(
    "name in the directory that is not the one before the data",
    "two accounts",
    lambda d: d.replace(b"PK\3\4", b"PK\3\4", 1).replace(b"metadata.json", b"metadata.jsoN", 1),
)
archive_case("directory of 4 GB", "directory is elsewhere", _patch_end("<I", 12, 0xFFFFFFF0))
archive_case("several disks", "directory is elsewhere", _patch_end("<H", 4, 3))
archive_case("directory of zip64 that is not there", "without its end", _patch_end("<I", 16, 0xFFFFFFFF))


def _far_directory(at: int) -> Callable[[bytearray], bytes]:
    """A locator of zip64 that leads to such a byte."""

    def change(data: bytearray) -> bytes:
        end = data.rfind(b"PK\5\6")
        struct.pack_into("<HH", data, end + 8, 0xFFFF, 0xFFFF)
        return bytes(data[:end]) + struct.pack("<4sIQI", b"PK\6\7", 0, at, 1) + bytes(data[end:])

    return change


archive_case("directory of zip64 beyond what can be sought", "ends early", _far_directory(2**63 - 1))
archive_case("directory of zip64 beyond 63 bits", "ends early", _far_directory(2**64 - 1))
member_case("absolute path", "/etc/x", filename="/etc/x")
member_case("path with dots", "canary", filename="../canary")
member_case("path with dots below assets", "canary", filename="assets/../../canary")
member_case("path with a backslash", "canary", filename="assets/..\\..\\canary")
member_case("drive letter", "C:", filename="C:/canary")
member_case("directory as a member", "layers/", filename="layers/")
member_case("member that is a link", "the link", filename="assets/link", mode=0o120777)
member_case("pickle beside the config", "model.pkl", filename="model.pkl")


@case("member twice", "twice")
def _() -> bytes:
    data = packed({**sound_members(), "Config.json": b"{}"})
    return data.replace(b"Config.json", b"config.json")


@case("member inside another one", "in another one")
def _() -> bytes:
    inner = packed({"assets/b": b"same"})
    data = bytearray(packed({**sound_members(), "assets/a": inner[: inner.index(b"PK\1\2")], "assets/b": b"same"}))
    start = data.index(b"PK\3\4", data.index(b"assets/a"))
    struct.pack_into("<I", data, _directory(data, 4) + 42, start)
    return bytes(data)


@case("100,000 members", "a directory of at most")
def _() -> bytes:
    return packed(sound_members() | {f"assets/{i}": b"" for i in range(25_000)})


@case("bomb of weights", "of at most")
def _() -> bytes:
    return packed(sound_members() | {WEIGHTS: bytes(2**26)}, zipfile.ZIP_DEFLATED)


@case("bomb of a config", "of at most")
def _() -> bytes:
    return packed(sound_members() | {CONFIG: b" " * 2**26}, zipfile.ZIP_DEFLATED)


@case("mild bomb of weights", "of at most")
def _() -> bytes:
    noise = np.random.default_rng(0).bytes(2**19)
    return packed(sound_members() | {WEIGHTS: noise + bytes(2**25)}, zipfile.ZIP_DEFLATED)


@case("64 MB of weights for a small model", "of at most")
def _() -> bytes:
    return packed(sound_members() | {WEIGHTS: bytes(2**26)})


for _name in (CONFIG, METADATA, WEIGHTS):
    case(f"no {_name}", f"no {_name}")(
        lambda name=_name: packed({key: data for key, data in sound_members().items() if key != name})
    )


# The config ---------------------------------------------------------------------------------------------------------


def config_case(name: str, words: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """A model whose config `change` alters; it may return another, or text."""

    def make() -> bytes:
        members = sound_members()
        config = json.loads(members[CONFIG])
        changed = change(config)
        changed = config if changed is None else changed
        text = changed if isinstance(changed, (str, bytes)) else json.dumps(changed)
        return packed(members | {CONFIG: text.encode() if isinstance(text, str) else text})

    case(name, words)(make)


def _line(config: dict[str, Any]) -> list[Any]:
    return config["config"]["layers"]


def _set(index: int, **values: Any) -> Callable[[dict[str, Any]], None]:
    """Sets options of a layer: 0 the input, 1 the LSTM, 2 the Dense."""
    return lambda config: _line(config)[index]["config"].update(values)


def _replace(index: int, class_name: Any, options: Any = None, **more: Any) -> Callable[[dict[str, Any]], None]:
    entry = {"module": "keras.layers", "class_name": class_name, "config": options or {}, "registered_name": None}

    def change(config: dict[str, Any]) -> None:
        _line(config)[index] = entry | more

    return change


def _compile(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: config["compile_config"].update(values)


def _function(name: str, module: str = "builtins") -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def _wrapped(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 1}}
    for _ in range(depth):
        inner = {"module": "keras.layers", "class_name": "TimeDistributed", "config": {"layer": inner}}
    return inner


config_case("config that is no JSON", "a sound config", lambda config: "{")
config_case("config that is no text", "a sound config", lambda config: b"\xff\xfe\x00{")
config_case("config that is a list", "a sound config", lambda config: [1, 2])
config_case("config that is a number", "a sound config", lambda config: 3)
config_case("100,000 lists in one another", "a sound config", lambda config: "[" * 100_000 + "]" * 100_000)
config_case(
    "20,000 lists in one another in a layer",
    "a sound config",
    lambda c: json.dumps(c).replace('"memory"', "[" * 20_000 + "]" * 20_000),
)
config_case("million numbers", "values", lambda config: json.dumps({"class_name": "Sequential", "config": [0] * 10**6}))
config_case("config of 8 MB", "of at most", lambda config: json.dumps(config) + " " * 2**23)
config_case(
    "20,000 layers of nothing",
    "a sound config",
    lambda config: _line(config).extend([{"class_name": "Dropout", "config": {"rate": 0}}] * 20_000),
)
config_case(
    "number of 10,000 digits",
    "a sound config",
    lambda c: json.dumps(c).replace('"units": 2', f'"units": {"9" * 10_000}'),
)
for _units in (10**9, 10**18, 0, -3, float("nan"), float("inf"), 2.5, "2", [2], {"a": 1}, True, None):
    config_case(f"LSTM of {_units} units", "a sound config|of shape", _set(1, units=_units))
config_case("Dense of a billion units", "weights of at most", _set(2, units=10**9))
config_case(
    "embedding of a billion rows", "a sound config", _replace(1, "Embedding", {"input_dim": 10**9, "output_dim": 10**9})
)
config_case("billion filters", "weights of at most", _replace(1, "Conv1D", {"filters": 10**9, "kernel_size": [3]}))
config_case(
    "kernel of a billion steps", "a sound config", _replace(1, "Conv1D", {"filters": 1, "kernel_size": [10**9]})
)
config_case(
    "billion heads", "a sound config|of at most", _replace(1, "MultiHeadAttention", {"num_heads": 10**9, "key_dim": 4})
)
config_case(
    "input of 10^12 features",
    "weights of at most",
    lambda c: (_set(0, batch_shape=[None, 4, 10**12])(c), _line(c)[1].pop("build_config"), None)[2],
)
config_case("input of negative features", "a sound config|of shape", _set(0, batch_shape=[None, 4, -3]))
config_case("input of text", "a sound config", _set(0, batch_shape="abc"))
config_case(
    "10^12 rows of states",
    "a sound config|of at most",
    lambda c: (_set(0, batch_shape=[10**12, 4, 3])(c), _set(1, stateful=True)(c), None)[2],
)
config_case(
    "no input",
    "an input shape|a built model",
    lambda c: (_line(c).pop(0), c["config"].pop("build_input_shape", 0), c.pop("build_config", 0), None)[3],
)
config_case("no layers", "a sound config|a built model", lambda config: _line(config).clear())
config_case("layer that is a number", "layers", lambda config: _line(config).append(5))
config_case("two layers of one name", "twice", _set(2, name="memory"))
config_case("name of a megabyte", "got", _set(1, name="n" * 10**6, units=-1))
config_case("name of several lines", "got", _set(1, name="a\nb\r\nc", units=-1))
config_case("name with a slash", "without '/'", _set(1, name="../../x"))
config_case("300 wrappers in one another", "a sound config", lambda config: _line(config).__setitem__(2, _wrapped(300)))
config_case(
    "Lambda",
    "Lambda",
    _replace(1, "Lambda", {"function": {"class_name": "__lambda__", "config": {"code": "4wEAAA=="}}}),
)
config_case(
    "lambda as an activation",
    "Lambda",
    _set(1, activation={"class_name": "__lambda__", "config": {"code": "4wEAAA=="}}),
)
config_case("os.system as a layer", "known class", _replace(1, "system", {"command": "touch canary"}, module="os"))
config_case(
    "subprocess.Popen as a layer",
    "known class",
    _replace(1, "Popen", {"args": ["touch", "canary"]}, module="subprocess"),
)
config_case("eval by a registered name", "known class", _replace(1, "eval", {}, registered_name="builtins>eval"))
config_case("eval as an activation", "known function", _set(1, activation=_function("eval")))
config_case("os.system as an activation", "known function", _set(1, activation=_function("system", "os")))
config_case("text that names os.system as an activation", "a sound config", _set(1, activation="os.system"))
config_case("TFSMLayer that reads a directory", "known class", _replace(1, "TFSMLayer", {"filepath": "/etc"}))
config_case(
    "custom layer that nobody registered",
    "known class",
    _replace(1, "Evil", {}, module="evil", registered_name="Custom>Evil"),
)
config_case("class name that is a list", "a sound config", _replace(1, ["Dense"]))
config_case("class name that is a module path", "known class", _replace(1, "keras.src.layers.core.dense.Dense"))
config_case("optimizer as a layer", "layers", _replace(1, "Adam", {}, module="keras.optimizers"))
config_case("layer as a model", "a model", lambda config: _line(config)[2])
config_case(
    "typespec",
    "known class",
    _set(1, seed={"class_name": "__typespec__", "module": "os", "spec_name": "system", "config": ["touch canary"]}),
)
config_case(
    "slice",
    "a sound config",
    _set(1, units={"class_name": "__slice__", "config": {"start": 0, "stop": 10**12, "step": 1}}),
)
config_case(
    "array of gigabytes of text",
    "a sound config",
    _set(1, seed={"class_name": "__numpy__", "config": {"value": ["a"], "dtype": "S2000000000"}}),
)
config_case(
    "array of objects",
    "a sound config",
    _set(1, seed={"class_name": "__numpy__", "config": {"value": [1], "dtype": "object"}}),
)
config_case(
    "array as units",
    "a sound config",
    _set(1, units={"class_name": "__numpy__", "config": {"value": [2, 3], "dtype": "int64"}}),
)
config_case("dtype that is a structure", "a sound config", _set(1, dtype=["a", "b"]))
config_case("dtype of objects", "dtype", _set(1, dtype="object"))
config_case(
    "policy of another dtype",
    "dtype",
    _set(1, dtype={"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}),
)
config_case(
    "initializer that holds text",
    "a sound config|known",
    _set(1, kernel_initializer={"class_name": "Zeros2", "config": {}}),
)
config_case("regularizer that is a function", "known function", _set(1, kernel_regularizer=_function("exec")))
config_case("unknown option", "known arguments", _set(1, on_load="touch canary"))
config_case(
    "build for a billion features",
    "weights of at most|a sound config",
    lambda c: (
        _set(0, batch_shape=[None, None, None])(c),
        _line(c)[1].update(build_config={"input_shape": [None, None, 10**9]}),
        None,
    )[2],
)
config_case("optimizer that names os.system", "compile_config", _compile(optimizer="os.system"))
config_case(
    "optimizer of another module",
    "compile_config",
    _compile(optimizer={"module": "os", "class_name": "system", "config": {"command": "touch canary"}}),
)
config_case(
    "optimizer that is a layer",
    "compile_config",
    _compile(optimizer={"module": "keras.layers", "class_name": "Dense", "config": {"units": 3}}),
)
config_case(
    "schedule of another module",
    "compile_config",
    _compile(
        optimizer={
            "module": "keras.optimizers",
            "class_name": "Adam",
            "config": {"learning_rate": {"module": "os", "class_name": "system", "config": {}}},
        }
    ),
)
config_case(
    "learning rate of text",
    "compile_config",
    _compile(optimizer={"module": "keras.optimizers", "class_name": "Adam", "config": {"learning_rate": "fast"}}),
)
config_case("loss that is eval", "compile_config", _compile(loss=_function("eval")))
config_case("loss by a name of Python's", "compile_config", _compile(loss="builtins>eval"))


def _metrics(count: int, class_name: str, **options: Any) -> Callable[[dict[str, Any]], None]:
    entry = {"module": "keras.metrics", "class_name": class_name, "config": options}
    return _compile(metrics=[entry] * count)


config_case("metric of 10^12 thresholds", "compile_config", _metrics(1, "AUC", num_thresholds=10**12))
config_case("metric of 10^6 classes squared", "compile_config", _metrics(1, "MeanIoU", num_classes=10**6))
config_case("30 metrics of 1,200 classes squared", "variables of at most", _metrics(30, "MeanIoU", num_classes=1_200))
config_case("metric of 4,096 classes squared", "variables of at most", _metrics(1, "MeanIoU", num_classes=4_096))
config_case(
    "10 metrics of 10,000 thresholds for 1,000 labels",
    "variables of at most",
    _metrics(10, "AUC", num_thresholds=10_000, multi_label=True, num_labels=1_000),
)
config_case("compile config that is a list", "compile_config", lambda config: config.update(compile_config=["x"]))


def graph_case(name: str, words: str, change: Callable[[list[Any], dict[str, Any]], None]) -> None:
    """A functional model whose layers and config `change` alters."""

    def make() -> bytes:
        recurra.utils.clear_session()
        start = recurra.Input((4, 3), name="start")
        end = layers.Dense(1, name="out")(layers.GRU(2, name="memory")(start))
        data = recurra.interop.keras_file.model_bytes(recurra.Model(start, end), {})
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
        config = json.loads(members[CONFIG])
        change(config["config"]["layers"], config["config"])
        return packed(members | {CONFIG: json.dumps(config).encode()})

    case(name, words)(make)


def _history(entry: dict[str, Any], value: Any) -> None:
    entry["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = value


graph_case("graph in a circle", "inputs exist", lambda line, config: _history(line[1], ["out", 0, 0]))
graph_case(
    "graph of a layer that is not there", "inputs exist", lambda line, config: _history(line[1], ["ghost", 0, 0])
)
graph_case(
    "graph of the billionth output", "a sound config", lambda line, config: _history(line[1], ["start", 0, 10**9])
)
graph_case("graph whose history is text", "a sound config", lambda line, config: _history(line[1], "abc"))
graph_case(
    "graph that ends in nothing", "a sound config", lambda line, config: config.update(output_layers=["ghost", 0, 0])
)
graph_case(
    "layer called a thousand times",
    "a sound config",
    lambda line, c: line[1].update(inbound_nodes=[{"args": ["x"], "kwargs": {}}] * 1000),
)


# Weights ------------------------------------------------------------------------------------------------------------

KERNEL = "layers/dense/vars/0"


def hdf5_case(name: str, words: str, change: Callable[[Any], Any]) -> None:
    """A weights file that `change(h5py.File)` alters."""

    def make() -> bytes:
        buffer = io.BytesIO(sound_members()[WEIGHTS])
        with h5py.File(buffer, "r+") as file:
            change(file)
        return buffer.getvalue()

    case(name, words, ".weights.h5")(make)


def _instead(value: Any = None, path: str = KERNEL, **options: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[path]
        if options:
            file.create_dataset(path, **options)
        elif value is not None:
            file[path] = value

    return change


def _virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((2, 1), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (2, 1))
    del file[KERNEL]
    file.create_virtual_dataset(KERNEL, layout)


def _shared_type(file: Any) -> None:
    file["named"] = np.dtype("f4")
    del file[KERNEL]
    file.create_dataset(KERNEL, (2, 1), dtype=file["named"])


def _raw(change: Callable[[bytearray], Any]) -> Callable[[], bytes]:
    def make() -> bytes:
        data = bytearray(sound_members()[WEIGHTS])
        return bytes(change(data) or data)

    return make


hdf5_case("soft link", "a soft link", _instead(h5py.SoftLink("/layers/dense/vars/1")))
hdf5_case("external link", "an external link", _instead(h5py.ExternalLink("/etc/passwd", "/x")))
hdf5_case(
    "external link in place of a group", "an external link", _instead(h5py.ExternalLink("x.h5", "/x"), "layers/lstm")
)
hdf5_case(
    "data in another file", "data in another file", _instead(shape=(2, 1), dtype="f4", external=[("/etc/passwd", 0, 8)])
)
hdf5_case("virtual dataset", "a virtual dataset", _virtual)
hdf5_case("chunks", "chunks", _instead(data=np.ones((2, 1), "f4"), chunks=(1, 1)))
hdf5_case("filters", "filters", _instead(data=np.ones((2, 1), "f4"), compression="gzip"))
hdf5_case(
    "bomb of a trillion numbers", "of shape", _instead(shape=(10**12,), dtype="f4", chunks=(2**20,), compression="gzip")
)
hdf5_case("numbers that were never written", "got none", _instead(shape=(2, 1), dtype="f4"))
hdf5_case("another shape", "of shape", _instead(np.zeros((1, 2), "f4")))
hdf5_case("one axis more", "of shape", _instead(np.zeros((2, 1, 1), "f4")))
hdf5_case("a scalar", "of shape", _instead(np.float32(3)))
hdf5_case("text as weights", "numbers", _instead(np.zeros((2, 1), "S4")))
hdf5_case("text of variable length as weights", "numbers", _instead(np.array([["a"], ["b"]], object)))
hdf5_case("truth values as weights", "numbers", _instead(np.zeros((2, 1), bool)))
hdf5_case("complex numbers as weights", "numbers", _instead(np.zeros((2, 1), "c8")))
hdf5_case("records as weights", "numbers", _instead(np.zeros((2, 1), "f4,f4")))
hdf5_case("opaque bytes as weights", "numbers", _instead(np.zeros((2, 1), "V8")))
hdf5_case("references as weights", "numbers", _instead(shape=(2, 1), dtype=h5py.ref_dtype))
hdf5_case("type that lies elsewhere", "shared", _shared_type)
hdf5_case("missing weight", "2 weights", _instead())
hdf5_case("one weight too many", "2 weights", lambda file: file.create_dataset("layers/dense/vars/2", data=np.zeros(3)))
hdf5_case("weight of another name", "the weight", lambda file: file.move(KERNEL, "layers/dense/vars/zero"))
hdf5_case("group in place of a weight", "the weight", lambda file: (file.pop(KERNEL), file.create_group(KERNEL)))
hdf5_case(
    "weight in place of a group",
    "the group",
    lambda file: (file.pop("layers/dense"), file.create_dataset("layers/dense", data=[1.0])),
)
hdf5_case("weights of another model", "the group", lambda file: file.move("layers/lstm", "layers/gru"))
hdf5_case("NaN", "finite", lambda file: file[KERNEL].write_direct(np.full((2, 1), np.nan, "f4")))
hdf5_case("infinity", "finite", lambda file: file[KERNEL].write_direct(np.full((2, 1), np.inf, "f4")))
hdf5_case("numbers too large for float32", "finite", _instead(np.full((2, 1), 1e300)))
case("empty weights", "an HDF5 file", ".weights.h5")(lambda: b"")
case("text in place of weights", "an HDF5 file", ".weights.h5")(lambda: b"hello\n" * 99)
case("signature of HDF5 and nothing", "superblock", ".weights.h5")(lambda: b"\x89HDF\r\n\x1a\n")
case("weights cut in half", "bytes", ".weights.h5")(_raw(lambda data: data[: len(data) // 2]))
case("weights that end a byte early", "bytes", ".weights.h5")(_raw(lambda data: data[:-1]))
case("superblock of a later version", "superblock", ".weights.h5")(_raw(lambda data: data.__setitem__(8, 9)))
case("offsets of other sizes", "offsets of 8 bytes", ".weights.h5")(_raw(lambda data: data.__setitem__(13, 4)))
case("root beyond the file", "a sound HDF5 file", ".weights.h5")(
    _raw(lambda data: struct.pack_into("<Q", data, 64, 2**62))
)
case("heap of 2^63 names", "a sound HDF5 file", ".weights.h5")(
    _raw(lambda d: struct.pack_into("<Q", d, d.find(b"HEAP") + 8, 2**63))
)
case("tree of itself", "a sound HDF5 file", ".weights.h5")(
    _raw(
        lambda d: (
            struct.pack_into("<BH", d, d.find(b"TREE") + 5, 9, 40),
            struct.pack_into("<32Q", d, d.find(b"TREE") + 24, *[d.find(b"TREE")] * 32),
            None,
        )[2]
    )
)
case("header that goes on in itself", "a sound HDF5 file|a group or", ".weights.h5")(
    _raw(lambda d: (struct.pack_into("<HH4xQQ", d, 96 + 16, 16, 16, 96 + 16, 24), None)[1])
)


# Keras 2 ------------------------------------------------------------------------------------------------------------


def keras2_case(name: str, words: str, change: Callable[[Any], Any]) -> None:
    """A whole-model .h5 file that `change(h5py.File)` alters."""

    def make() -> bytes:
        model = make_model()
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            described = recurra.saving.serialize_keras_object(model)
            file.attrs["model_config"] = json.dumps(described).encode()
            group = file.create_group("model_weights")
            group.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
            for layer in model.layers:
                part = group.create_group(layer.name)
                part.attrs["weight_names"] = [variable.path.encode() for variable in layer.weights]
                for variable in layer.weights:
                    part[variable.path] = variable.value
            change(file)
        return buffer.getvalue()

    case(name, words, ".h5")(make)


def _config(text: Any) -> Callable[[Any], None]:
    return lambda file: file.attrs.__setitem__("model_config", text)


def _old(change: Callable[[dict[str, Any]], Any]) -> Callable[[Any], None]:
    def alter(file: Any) -> None:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)

    return alter


keras2_case("h5 without a config", "a whole model", lambda file: file.attrs.pop("model_config"))
keras2_case("h5 whose config is a number", "text", _config(3))
keras2_case("h5 whose config is no JSON", "a sound config", _config("{"))
keras2_case("h5 whose config is deep", "a sound config", _config("[" * 60_000))
keras2_case(
    "h5 with a Lambda",
    "Lambda",
    _old(_replace(1, "Lambda", {"function": ["4wEAAA==", None, None], "function_type": "lambda", "module": "os"})),
)
keras2_case("h5 of a billion units", "weights of at most", _old(_set(1, units=10**9)))
keras2_case("h5 with time_major", "time_major", _old(_set(1, time_major=True)))
keras2_case("h5 without layer names", "weights of layer", lambda file: file["model_weights"].attrs.pop("layer_names"))
keras2_case(
    "h5 whose layer names are numbers",
    "text",
    lambda file: file["model_weights"].attrs.__setitem__("layer_names", [1, 2]),
)
keras2_case(
    "h5 whose weight names lead elsewhere",
    "no links",
    lambda file: (
        file["model_weights/out"].attrs.__setitem__("weight_names", [b"away", b"away"]),
        file["model_weights/out"].__setitem__("away", h5py.ExternalLink("/etc/passwd", "/x")),
    ),
)
keras2_case(
    "h5 whose weight names climb",
    "the weight",
    lambda file: file["model_weights/out"].attrs.__setitem__("weight_names", [b"../memory/x", b"../../y"]),
)
keras2_case(
    "h5 with one weight name",
    "2 weights",
    lambda file: file["model_weights/out"].attrs.__setitem__("weight_names", [b"x"]),
)


@case("h5 whose config is one text 4,000 times", "overlap", ".h5")
def _() -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        texts = np.array(["{" + "x" * 99_999, *["y" * 7] * 3_999], object)
        file.attrs.create("model_config", texts, dtype=h5py.string_dtype())
    data = bytearray(buffer.getvalue())
    places = data.index(struct.pack("<I", 100_000))  # references of 16 bytes: length, address of a heap, number
    data[places : places + 16 * 4_000] = data[places : places + 16] * 4_000
    return bytes(data)


# safetensors --------------------------------------------------------------------------------------------------------


def tensors(entries: dict[str, Any], data: bytes = b"", length: int | None = None) -> bytes:
    head = json.dumps(entries).encode()
    return struct.pack("<Q", len(head) if length is None else length) + head + data


def tensor_case(name: str, words: str, make: Callable[[dict[str, Any], bytes], bytes]) -> None:
    """A .safetensors file made from the sound entries and data."""

    def write() -> bytes:
        entries: dict[str, Any] = {}
        data = b""
        for name, array in keras_names(make_model()).items():
            part = array.tobytes()
            entries[name] = {
                "dtype": "F32",
                "shape": list(array.shape),
                "data_offsets": [len(data), len(data) + len(part)],
            }
            data += part
        return make(entries, data)

    case(name, words, ".safetensors")(write)


BIAS = "out/bias"


def _entry(name: str = BIAS, **values: Any) -> Callable[[dict[str, Any], bytes], bytes]:
    return lambda entries, data: tensors(entries | {name: entries[name] | values}, data)


tensor_case("header of 2^60 bytes", "a sound .safetensors file", lambda entries, data: tensors(entries, data, 2**60))
tensor_case(
    "header that is no JSON", "a sound .safetensors file", lambda entries, data: struct.pack("<Q", 9) + b"not json!"
)
tensor_case("tensors that share bytes", "a sound .safetensors file", _entry(data_offsets=[0, 4]))
tensor_case("tensor beyond the file", "a sound .safetensors file", _entry(data_offsets=[2**40, 2**40 + 4]))
tensor_case("tensor of 2^63 numbers", "a sound .safetensors file", _entry(shape=[2**32, 2**31]))
tensor_case("tensor of unknown type", "a sound .safetensors file", _entry(dtype="PICKLE"))
tensor_case("tensor of whole numbers", "floating point numbers", _entry(dtype="I32"))
tensor_case("tensor of another shape", "of shape", _entry(shape=[1, 1]))
tensor_case(
    "tensor of bfloat16",
    "floating point numbers|of shape",
    lambda e, d: tensors(e | {BIAS: e[BIAS] | {"dtype": "BF16", "shape": [2]}}, d),
)
tensor_case(
    "tensor that is missing", "missing|a sound", lambda e, d: tensors({k: v for k, v in e.items() if k != BIAS}, d[:-4])
)
tensor_case(
    "tensor too many",
    "not in the model",
    lambda e, d: tensors(
        e | {"x/y": {"dtype": "F32", "shape": [1], "data_offsets": [len(d), len(d) + 4]}}, d + b"\0" * 4
    ),
)
tensor_case("tensor of NaN", "finite", lambda e, d: tensors(e, d[:-4] + b"\xff" * 4))
tensor_case(
    "pickle of torch", "a sound .safetensors file", lambda e, d: b"PK\3\4archive/data.pkl" + b"\x80\x02cos\nsystem\n"
)
