"""`recurra demo`: the teaching notebook's models in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import typer

from recurra.cli import console


def demo(
    seed: Annotated[int, typer.Option(help="The same seed gives the same networks.")] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of training.")] = 100,
    units: Annotated[int, typer.Option(min=1, help="Units of the two recurrent layers.")] = 300,
) -> None:
    """Train the teaching notebook's four networks to count on.

    Example: recurra demo --epochs 100
    """
    import recurra
    from recurra import layers

    windows = np.arange(6)[:, None] + np.arange(4)
    x, y = windows[..., None].astype("float32"), np.arange(4, 10, dtype="float32")
    kinds: dict[str, Callable[..., Any]] = {
        "SimpleRNN": layers.SimpleRNN,
        "LSTM": layers.LSTM,
        "Bidirectional LSTM": lambda *args, **options: layers.Bidirectional(layers.LSTM(*args, **options)),
        "GRU": layers.GRU,
    }
    rows = []
    for name, kind in kinds.items():
        recurra.utils.set_random_seed(seed)
        model = recurra.Sequential(
            [recurra.Input((4, 1)), kind(units, return_sequences=True), kind(units), layers.Dense(1)]
        )
        model.compile(optimizer="adam", loss="mse")
        with console.progress(f"training {name}"):
            history = model.fit(x, y, epochs=epochs, verbose=0)
        nexts = model.predict(np.array([[6, 7, 8, 9], [-1, 0, 1, 2]], "float32")[..., None], verbose=0)[:, 0]
        loss = history.history["loss"][-1]
        rows.append([name, f"{model.count_params():,}", f"{loss:.4f}", f"{nexts[0]:.3f}", f"{nexts[1]:.3f}"])
    heads = ["network", "weights", f"loss after {epochs}", "6 7 8 9 ->", "-1 0 1 2 ->"]
    console.table("Six windows of four numbers, and the next one", heads, rows)
