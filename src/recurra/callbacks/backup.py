"""Going on with a training run that was cut off."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from recurra import _global_random, random
from recurra._arrays import as_numbers
from recurra._checks import check_frequency, expected
from recurra._files import path_option, remove_leftovers, write_atomically
from recurra._signals import HeldSignals
from recurra.callbacks.base import Callback
from recurra.errors import FileFormatError
from recurra.layers.recurrent import stateful_layers
from recurra.variables import assign_together


class BackupAndRestore(Callback):
    """Keeps a backup from which a run of the same program goes on after it was cut off.

    The backup holds weights, the optimizer's variables, the states of stateful layers, those of all random streams
    (recurra's, NumPy's and Python's), the epoch, and what recurra's callbacks remember (the patience and best weights
    of `EarlyStopping`, say), so the resumed run ends with the weights, to the bit, of a run that was never cut off. It
    is written atomically: a run killed while it writes finds the backup before. It runs after all other callbacks.
    Datasets to train and to validate on, and data that `steps_per_epoch` cuts into parts, are read over up to where
    they stood, those of a run that was complete too; a `PyDataset` is told of the epochs alone, so one that draws in
    `__getitem__` should draw from NumPy's own stream, as `np.random.normal` does; generators begin anew.
    A seeded `Dataset` that has been read already, as after Ctrl-C and `fit` again in the same process, goes on from
    where it is: make it anew.

    A run that `EarlyStopping` has ended stays ended. One that another callback stopped, when its time was up, goes on;
    an epoch that it stopped at a batch, be it the last, is done again.

    Args:
        backup_dir: Directory of its own.
        save_freq: "epoch", or a number of batches; an epoch cut off then begins again from the weights in between.
        double_checkpoint: Accepted, changes nothing: a backup is never half written.
        delete_checkpoint: Delete the backup when training has ended.

    Raises:
        TypeError: If `backup_dir` is not a path.
        ValueError: If `save_freq` is neither "epoch" nor a number of batches.
    """

    _runs_last = True

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ):
        super().__init__()
        if not backup_dir:
            hint = "Empty `backup_dir` argument passed"
            raise ValueError(expected("BackupAndRestore", "a directory", repr(backup_dir), hint))
        check_frequency("BackupAndRestore", "save_freq", save_freq, "Invalid value for argument `save_freq`")
        self.backup_dir = path_option("BackupAndRestore", "backup_dir", backup_dir)
        self.save_freq = save_freq
        self.delete_checkpoint = delete_checkpoint
        self._path = Path(self.backup_dir) / "backup.npz"
        self._others: list[Callback] = []  # those that remember something

    def on_train_begin(self, logs: Any = None) -> None:
        if not self.model.built:
            hint = "give it an Input or call it on a batch before fit()"
            raise ValueError(expected("BackupAndRestore", "a built model", "one that is not", hint))
        self._current_epoch = self.model._run.epoch
        self._batches = 0
        if os.path.isdir(self.backup_dir):
            remove_leftovers(self.backup_dir)
        if self._path.exists():
            self._restore()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.save_freq != "epoch":
            self._batches += 1
            if self._batches >= int(self.save_freq):
                self._save()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.model._run.broken_off:  # its rest would be lost
            return
        self._current_epoch = epoch + 1
        if self.save_freq == "epoch" or self._ended():
            self._save()

    def on_train_end(self, logs: Any = None) -> None:
        if self.delete_checkpoint and self._path.exists():
            self._path.unlink()
            remove_leftovers(self.backup_dir)
            with contextlib.suppress(OSError):  # other files are in it, or it is a mount point, a link, "."
                os.rmdir(self.backup_dir)

    def _ended(self) -> bool:
        """Returns whether there is no rest; not by stop_training: a run out of time goes on, as in Keras."""
        return any(getattr(other, "stopped_epoch", 0) > 0 for other in self._others)

    def _save(self) -> None:
        self._batches = 0
        meta = {
            "epoch": self._current_epoch,
            "stopped": self._ended(),
            "stream": random.get_stream_state(),
            "global_states": _global_random.get_states(),
            "stream_at_start": self.model._run.stream_at_start,
            "draws": self.model._run.draws,
            "averages_swapped": self.model.optimizer.averages_swapped,
            "seeds": [seed.state.value.tolist() for seed in self.model._seeds()],
        }
        arrays = {f"weight_{i}": variable.value for i, variable in enumerate(self.model.weights)}
        arrays |= {f"optimizer_{i}": variable.value for i, variable in enumerate(self.model.optimizer.variables)}
        arrays |= _stored_states(self.model)
        arrays |= _memories(self._others)
        meta["members"] = list(arrays)  # in this order: best weights are a list
        data = io.BytesIO()
        np.savez(data, meta=np.array(json.dumps(meta, default=np.ndarray.tolist)), **arrays)
        os.makedirs(self.backup_dir, exist_ok=True)
        write_atomically(self._path, data.getvalue())

    def _restore(self) -> None:
        """Goes on from the backup; all of it is read and checked before anything changes."""
        optimizer, seeds = self.model.optimizer, self.model._seeds()
        optimizer.build(self.model.trainable_weights)
        variables = {f"weight_{i}": variable for i, variable in enumerate(self.model.weights)}
        variables |= {f"optimizer_{i}": variable for i, variable in enumerate(optimizer.variables)}
        with _whole(self._path):
            meta, arrays = _read(self._path)
            saved = {name: array.shape for name, array in arrays.items() if name.startswith(("weight_", "optimizer_"))}
            fits = saved == {name: variable.shape for name, variable in variables.items()}
            of_layers, saved_states = (
                {name: array.shape for name, array in found.items() if name.startswith("state_")}
                for found in (_stored_states(self.model), arrays)
            )
            fits = fits and saved_states in ({}, of_layers)  # none: of before the first batch
            if not fits or len(seeds) != len(meta["seeds"]):
                hint = "delete it, or make the model as it was"
                raise FileFormatError(expected("BackupAndRestore", "a backup of this model", str(self._path), hint))
            states = _states_in(arrays, self.model)
            memories = _memories_in(arrays, self._others)
        with HeldSignals():  # no half of a backup
            assign_together(
                [*variables.values(), *(seed.state for seed in seeds)],
                [*(arrays[name] for name in variables), *meta["seeds"]],
            )
            for layer, own in states:
                layer.states = own
            for callback, name, value in memories:
                setattr(callback, name, value)
            optimizer.averages_swapped = meta["averages_swapped"]
            random.set_stream_state(meta["stream"])
            self._current_epoch = meta["epoch"]
            run = self.model._run
            run.epoch, run.ended = meta["epoch"], meta["stopped"]
            run.stream_at_start, run.draws = meta["stream_at_start"], meta["draws"]
            run.global_states = meta["global_states"]


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Tells whatever a damaged backup raises as one error: NumPy, zipfile, zlib, tokenize, ... each find their own."""
    try:
        yield
    except FileFormatError:
        raise
    except Exception as error:
        got = f"{path} ({type(error).__name__}: {str(error)[:80]})"
        raise FileFormatError(expected("BackupAndRestore", "a whole backup", got, "delete it to begin anew")) from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Returns what `_save` wrote: a file cut off shows it at its end or in any of its members."""
    with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
        if sum(member.file_size for member in file.zip.infolist()) > os.path.getsize(path):
            raise ValueError("packed members, which could take any memory")
        meta = json.loads(str(file["meta"]))
        arrays = {name: as_numbers(file[name], name) for name in meta["members"]}
    for name, kind in {"epoch": int, "stopped": bool, "averages_swapped": bool}.items():
        if type(meta[name]) is not kind:
            raise TypeError(f"{name} {meta[name]!r}")
    if meta["epoch"] < 0:
        raise ValueError(f"epoch {meta['epoch']}")
    meta["draws"] = [(int(taken), state) for taken, state in meta["draws"]]
    _global_random.check_states(meta["global_states"])
    for state in (meta["stream"], meta["stream_at_start"], *(state for _, state in meta["draws"])):
        np.random.PCG64().state, _ = state, dict(state["uses"])  # raises what the stream itself would
    meta["seeds"] = [np.array(seed, np.uint32).reshape(2) for seed in meta["seeds"]]
    return meta, arrays


def _stored_states(model: Any) -> dict[str, np.ndarray]:
    """Returns the states that stateful layers carry from batch to batch, by layer and position."""
    layers = stateful_layers(model)
    return {f"state_{i}_{j}": one.numpy() for i, layer in enumerate(layers) for j, one in enumerate(layer.states or ())}


def _states_in(arrays: dict[str, np.ndarray], model: Any) -> list[tuple[Any, list[np.ndarray] | None]]:
    """Returns the stateful layers with their states in a backup."""
    found: list[tuple[Any, list[np.ndarray] | None]] = []
    for i, layer in enumerate(stateful_layers(model)):
        count = sum(name.startswith(f"state_{i}_") for name in arrays)
        states = [arrays[f"state_{i}_{j}"] for j in range(count)]
        found.append((layer, states or None))
    return found


def _memories(callbacks: list[Callback]) -> dict[str, np.ndarray]:
    """Returns what callbacks remember, a number or a list of arrays each; nothing for None."""
    arrays: dict[str, np.ndarray] = {}
    for key, callback, name in _memory_keys(callbacks):
        value = getattr(callback, name)
        if isinstance(value, list):
            arrays |= {f"{key}/{i}": array for i, array in enumerate(value)}
        elif value is not None:
            arrays[key] = np.asarray(value)
    return arrays


def _memories_in(arrays: dict[str, np.ndarray], callbacks: list[Callback]) -> list[tuple[Callback, str, Any]]:
    """Returns the callbacks that a backup knows, with the names and values of what they remember in it.

    Raises:
        TypeError, ValueError: For what is no count where one is due, or no weights of the model.
    """
    found = []
    for key, callback, name in _memory_keys(callbacks):
        if any(other.startswith(key.removesuffix(name)) for other in arrays):
            parts = [array for other, array in arrays.items() if other.startswith(f"{key}/")]
            value = arrays[key].item() if key in arrays else parts or None
            if isinstance(getattr(callback, name), int) and not isinstance(value, int):
                raise TypeError(f"{key} {value!r}")
            if parts and [part.shape for part in parts] != [weight.shape for weight in callback.model.weights]:
                raise ValueError(f"{key} of other weights")
            found.append((callback, name, value))
    return found


def _memory_keys(callbacks: list[Callback]) -> Iterator[tuple[str, Callback, str]]:
    """Yields the name in the backup, the callback and the attribute: a callback is known by its class and its turn."""
    turns: Counter[str] = Counter()
    for callback in callbacks:
        kind = type(callback).__name__
        for name in callback._remembered:
            yield f"memory/{kind}_{turns[kind]}/{name}", callback, name
        turns[kind] += 1
