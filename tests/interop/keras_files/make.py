"""Writes the files of this folder with real Keras, in the form of ../shared/interop:

    KERAS_BACKEND=tensorflow python make.py

NAME.keras and NAME.weights.h5 of three small models; NAME.npz: what they answer, their weights, and where training goes
on, the losses and weights of three steps more. index.json says which Keras wrote them.
"""

import json
from pathlib import Path

import keras
import numpy as np
from keras import layers

FOLDER = Path(__file__).parent


def both_directions():
    """Two Bidirectional layers, and a Dense at each step."""
    line = [
        layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
        layers.Bidirectional(layers.GRU(2, return_sequences=True), merge_mode="ave"),
        layers.TimeDistributed(layers.Dense(2)),
    ]
    return keras.Sequential([layers.Input((4, 2)), *line])


def masked_text():
    """A functional model of ids with a mask."""
    ids = layers.Input((5,), dtype="int32")
    hidden = layers.SimpleRNN(3)(layers.Embedding(7, 2, mask_zero=True)(ids))
    return keras.Model(ids, layers.Dense(3, activation="softmax")(layers.BatchNormalization()(hidden)))


def trained():
    """A compiled model after three steps of Adam, to be trained on."""
    line = [layers.LSTM(3, return_sequences=True), layers.LSTM(3), layers.Dense(1)]
    model = keras.Sequential([layers.Input((4, 1)), *line])
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


def write(name, model, inputs, target=None):
    arrays = {"input_0": inputs}
    if target is not None:
        arrays["target_0"] = target
        for _ in range(3):
            model.train_on_batch(inputs, target)
    arrays |= {f"weight_{i}": weight for i, weight in enumerate(model.get_weights())}
    model.save(FOLDER / f"{name}.keras")
    model.save_weights(FOLDER / f"{name}.weights.h5")
    arrays["output_0"] = model.predict_on_batch(inputs)
    if target is not None:
        losses = [model.train_on_batch(inputs, target, return_dict=True)["loss"] for _ in range(3)]
        arrays["losses_after_loading"] = np.array(losses)
        arrays |= {f"weight_after_loading_{i}": weight for i, weight in enumerate(model.get_weights())}
    np.savez(FOLDER / f"{name}.npz", **arrays)
    return {"name": name, "inputs": 1}


def main():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 4, 1)).astype("float32"), rng.standard_normal((6, 1)).astype("float32")
    models = [
        write("both_directions", both_directions(), rng.standard_normal((3, 4, 2)).astype("float32")),
        write("masked_text", masked_text(), rng.integers(0, 7, (3, 5)).astype("int32")),
        write("trained", trained(), x, y),
    ]
    (FOLDER / "index.json").write_text(json.dumps({"keras": keras.__version__, "models": models}, indent=1) + "\n")


if __name__ == "__main__":
    main()
