"""Forecasters as `.keras` files: Keras opens the network, and an asset beside it holds all the rest."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from recurra._checks import expected
from recurra._files import path_of, write_atomically
from recurra.errors import FileFormatError
from recurra.forecasting.clock import Clock
from recurra.forecasting.frequency import LAST_DAY, TIMES, Frequency, parse_frequency
from recurra.forecasting.intervals import LEVELS
from recurra.forecasting.network import KINDS, LAYERS, Settings
from recurra.forecasting.panel import FILLS, Panel, Source, indptr_of
from recurra.forecasting.trained import TrainedNetwork
from recurra.forecasting.transform import Transform
from recurra.interop import keras_file
from recurra.interop.keras_weights import UNSOUND
from recurra.interop.zip_reader import Archive

if TYPE_CHECKING:
    from recurra.forecasting.forecaster import Forecaster

ASSET = "assets/recurra_forecaster.json"
FORMAT = 1  # of that asset
LARGEST_SETTINGS = 2**28  # bytes


def save(path: str | os.PathLike[str], trained: TrainedNetwork, options: dict[str, Any], given: dict[str, Any]) -> None:
    """Writes a network, the options of its forecaster, and those of them that the user gave; see `Forecaster.save`."""
    path, panel = path_of("Forecaster.save", path), trained.panel
    state = {
        "format": FORMAT,
        "options": options,
        "given": given,
        "settings": asdict(trained.settings),
        "transforms": list(map(asdict, trained.transforms)),
        "widening": trained.widening.tolist(),
        "least": trained.least.tolist(),
        "freq": asdict(panel.freq),
        "ids": list(panel.ids),
        "id_values": _plain_ids(panel.source.id_values),
        "columns": [panel.id_col, panel.time_col, panel.target_col, panel.clock.unit],
        "series": [panel.series(i).tolist() for i in range(panel.n_series)],
        "first_times": [int(panel.series_times(i)[0].astype(np.int64)) for i in range(panel.n_series)],
        "counters": panel.times.dtype.kind != "M",
        "counted": panel.source.counted,
        "zone": [panel.clock.offset, panel.clock.zone, panel.clock.in_utc],
        "as_text": panel.source.as_text,
        "fill": panel.fill,
        "freq_named": panel.source.freq_named,
        "filled": [] if panel.observed is None else np.flatnonzero(~panel.observed).tolist(),
    }
    if path.suffix != ".keras":
        raise ValueError(expected("Forecaster.save", "a file that ends in .keras", repr(str(path))))
    write_atomically(path, keras_file.model_bytes(trained.model, {ASSET: json.dumps(state).encode()}))


_Forecaster = TypeVar("_Forecaster", bound="Forecaster")


def load(path: str | os.PathLike[str], restore: Callable[..., _Forecaster]) -> _Forecaster:
    """Returns what `restore` makes of a network, the options and those that the user gave; see `Forecaster.load`."""
    path = path_of("Forecaster.load", path)
    name = path.name
    model = keras_file.load_model(path, compile=False)
    try:
        with open(path, "rb") as file:
            state = _read_settings(keras_file.open_archive(file, name))
        if state["format"] != FORMAT:
            what = f"a Forecaster of format {FORMAT}"
            raise FileFormatError(expected(name, what, state["format"], "update recurra"))
        settings = state["settings"]
        trained = TrainedNetwork(
            panel=_stored_panel(state),
            settings=Settings(**(settings | {"quantiles": tuple(settings["quantiles"])})),
            model=model,
            transforms=[Transform(**(t | {"seasonal": tuple(t["seasonal"])})) for t in state["transforms"]],
            widening=np.array(state["widening"]),
            least=np.array(state["least"]),
        )
        forecaster = restore(trained, state["options"], state["given"])
        _check(forecaster, trained)
    except FileFormatError:
        raise
    except UNSOUND as error:
        got = f"none ({type(error).__name__}: {error})"
        raise FileFormatError(expected(name, "a saved Forecaster", got)) from error
    return forecaster


def asset_of(path: str | os.PathLike[str]) -> dict[str, bytes]:
    """Returns the asset that makes a model file one of a forecaster by its name in the file; nothing of other files."""
    if Path(path).suffix != ".keras":
        return {}
    with open(path, "rb") as file:
        archive = keras_file.open_archive(file, Path(path).name)
        return {ASSET: _asset(archive)} if ASSET in archive.members else {}


def _asset(archive: Archive) -> bytes:
    """Returns the asset, if it is no more than its packed bytes can hold; as of a config."""
    most = keras_file.LARGEST_CONFIG + 8 * archive.members[ASSET].packed
    return archive.read(ASSET, min(LARGEST_SETTINGS, most))


def _read_settings(archive: Archive) -> Any:
    if ASSET not in archive.members:
        raise FileFormatError(expected(archive.name, "a saved Forecaster", "a model without a forecaster"))
    return keras_file.read_json(_asset(archive), keras_file.MOST_VALUES + archive.members[ASSET].packed)


def _check(forecaster: Forecaster, trained: TrainedNetwork) -> None:
    """Raises ValueError where the parts of a file do not fit each other; the network is not run, only looked at."""
    panel, settings, model = trained.panel, trained.settings, trained.model
    count, horizon = panel.n_series, settings.horizon
    strange = [type(layer).__name__ for layer in model.layers if type(layer) not in LAYERS]
    if strange:  # such as one that repeats its input a billion times: it would take the memory when forecasting
        raise ValueError(f"a network with the layer {strange[0]}")
    for size in (settings.lookback, horizon):
        if type(size) is not int:
            raise ValueError(f"a network of {size!r} values")
    shapes = [tensor.shape for tensor in (*model.inputs, *model.outputs)]
    if forecaster.model not in KINDS or len(settings.quantiles) != 5 or forecaster.horizon != horizon:
        raise ValueError(f"a {forecaster.model} of {len(settings.quantiles)} quantiles and {horizon} steps")
    if shapes != [(None, settings.lookback, 1), (None, 5 * horizon)]:
        raise ValueError(f"a network of shapes {shapes} for {settings.lookback} and {horizon} values")
    for name, array, rows in (("widening", trained.widening, len(LEVELS)), ("least", trained.least, count)):
        if array.shape != (rows, horizon) or not np.isfinite(array).all():
            raise ValueError(f"{name} of shape {array.shape}")
    if {len(trained.transforms), len(panel.lengths)} != {count} or panel.lengths.min() < settings.lookback:
        raise ValueError(f"{count} series of {panel.lengths.min()} values and more")
    if panel.known_counts.min() < 1:
        raise ValueError("a series that was filled alone")
    for numbers in (panel.values, *([t.scale, t.smallest, *t.seasonal] for t in trained.transforms)):
        array = np.array(numbers)
        if array.ndim != 1 or array.dtype.kind not in "if" or not np.isfinite(array).all():
            raise ValueError("numbers that are not finite, or none")
    if any(t.scale <= 0 for t in trained.transforms):
        raise ValueError("a scale that is not positive")
    if any(t.log and t.smallest <= 0 for t in trained.transforms):
        raise ValueError("a smallest value without a logarithm")
    names = [*panel.ids, panel.time_col, panel.target_col]
    names += [name for name in (panel.id_col, panel.clock.zone) if name is not None]
    if not all(isinstance(name, str) for name in names):
        raise ValueError("names that are no text")
    if panel.source.id_values and tuple(map(str, panel.source.id_values)) != panel.ids:
        raise ValueError("ids that are not those of the series")
    ends = panel.times[panel.indptr[1:] - 1]
    panel.clock.write(panel.freq.future(ends.max(), horizon))  # where the latest has room, the others have


def _plain_ids(values: tuple[Any, ...]) -> list[Any]:
    """Returns ids for JSON, numbers as they are; none if there are others, such as dates, which become texts."""
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    return plain if all(isinstance(value, (str, int, float)) for value in plain) else []


def _stored_panel(state: dict[str, Any]) -> Panel:
    freq = parse_frequency(Frequency(state["freq"]["name"], state["freq"]["step"]).alias)
    day = state["freq"]["day"]
    if day not in (None, *range(1, LAST_DAY + 1)):
        raise ValueError(f"{day} as the day of months")
    freq = replace(freq, day=day)
    series = [np.array(values, np.float64) for values in state["series"]]
    if not all(type(first) is int for first in state["first_times"]):
        raise ValueError("first times that are no numbers")
    times = []
    for first, values in zip(state["first_times"], series, strict=True):
        start: Any = np.int64(first) if state["counters"] else np.array(first).astype(TIMES)[()]
        times.append(np.concatenate([[start], freq.future(start, len(values) - 1)]))
    id_col, time_col, target_col, unit = state["columns"]
    offset, zone, in_utc = state["zone"]
    values = np.concatenate(series)
    filled, fill = state["filled"], state["fill"]
    if fill not in (None, *FILLS) or not all(type(place) is int and 0 <= place < len(values) for place in filled):
        raise ValueError("values that were filled, but not as values are")
    observed = np.isin(np.arange(len(values)), filled, invert=True) if filled else None
    return Panel(
        values=values,
        indptr=indptr_of([len(values) for values in series]),
        ids=tuple(state["ids"]),
        times=np.concatenate(times),
        freq=freq,
        id_col=id_col,
        time_col=time_col,
        target_col=target_col,
        clock=Clock(unit, offset, zone, in_utc),
        observed=observed,
        fill=fill,
        source=Source(
            as_text=bool(state["as_text"]),
            id_values=tuple(state["id_values"]),
            counted=bool(state["counted"]),
            freq_named=bool(state["freq_named"]),
        ),
    )
