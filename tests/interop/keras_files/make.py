"""Writes the files of this folder with real Keras, in the form of ../shared/interop:

    KERAS_BACKEND=tensorflow PYTHONPATH=.. python make.py

NAME.keras and NAME.weights.h5 of three small models; NAME.npz: what they answer, their weights, and where training goes
on, the losses and weights of three steps more. index.json says which Keras wrote them. Of the models of
../held.py the same without the steps, and the variables of the optimizer.
"""

import json
from pathlib import Path

import keras
import numpy as np
from held import holding, sharing, twins
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


def write_held(rng):
    x = rng.standard_normal((4, 5, 2)).astype("float32")
    model = holding(keras)["Held"](4)
    model.compile("adam", "mse")
    model.train_on_batch(x, x[:, 0, :1])
    model.save(FOLDER / "held.keras")
    states = {f"optimizer_{i}": variable for i, variable in enumerate(model.optimizer.variables)}
    weights = {f"weight_{i}": weight for i, weight in enumerate(model.get_weights())}
    np.savez(FOLDER / "held.npz", input_0=x, output_0=model(x), **states, **weights)


def write_sharing(rng):
    x = rng.standard_normal((4, 6, 3)).astype("float32")
    model = sharing(keras)
    model.save_weights(FOLDER / "sharing.weights.h5")
    np.savez(FOLDER / "sharing.npz", input_0=x, output_0=model(x))


def write_twins(rng):
    x = rng.standard_normal((2, 4, 5, 3)).astype("float32")
    model = twins(keras)
    model.save(FOLDER / "twins.keras")
    outputs = {f"output_{i}": output for i, output in enumerate(model(list(x)))}
    np.savez(FOLDER / "twins.npz", input_0=x[0], input_1=x[1], **outputs)


def main():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 4, 1)).astype("float32"), rng.standard_normal((6, 1)).astype("float32")
    models = [
        write("both_directions", both_directions(), rng.standard_normal((3, 4, 2)).astype("float32")),
        write("masked_text", masked_text(), rng.integers(0, 7, (3, 5)).astype("int32")),
        write("trained", trained(), x, y),
    ]
    write_held(rng)
    write_sharing(rng)
    write_twins(rng)
    (FOLDER / "index.json").write_text(json.dumps({"keras": keras.__version__, "models": models}, indent=1) + "\n")


if __name__ == "__main__":
    main()
