"""The RNN chapter's notebook as a script: one changed import line, otherwise as it was written for TensorFlow.

python examples/teaching_notebook.py
"""

import time

import numpy as np

import recurra.compat.tensorflow as tf  # was: import tensorflow as tf

keras, layers = tf.keras, tf.keras.layers

# 'hello', one letter a time step: three sequences of five one-hot letters (batch, timesteps, features).
h, e, l, o = np.eye(4, dtype=np.float32)  # noqa: E741
HELLO = np.array([[h, e, l, l, o], [e, o, l, l, l], [l, l, e, e, l]])

# What comes next? Six windows of four numbers, and the number after each.
WINDOWS = np.array([[i, i + 1, i + 2, i + 3] for i in range(6)], np.float32)
TARGETS = np.array([4, 5, 6, 7, 8, 9], np.float32)
UNSEEN = np.array([[6, 7, 8, 9], [-1, 0, 1, 2]], np.float32)

STACKS = {
    "SimpleRNN": lambda **options: layers.SimpleRNN(300, **options),
    "LSTM": lambda **options: layers.LSTM(300, **options),
    "Bidirectional LSTM": lambda **options: layers.Bidirectional(layers.LSTM(300, **options)),
    "GRU": lambda **options: layers.GRU(300, **options),
}


def show_shapes() -> None:
    """Prints what a layer returns for each combination of return_sequences and return_state."""
    for return_sequences in (False, True):
        for return_state in (False, True):
            rnn = layers.SimpleRNN(units=2, return_sequences=return_sequences, return_state=return_state)
            returned = rnn(HELLO)
            outputs, *states = returned if return_state else (returned,)
            state = f", states {states[0].numpy().shape}" if states else ""
            print(f"  {return_sequences=!s:5} {return_state=!s:5} outputs {outputs.numpy().shape}{state}")


def train(name: str) -> None:
    """Trains one of the four models and prints what it predicts."""
    model = keras.Sequential(
        [layers.Input((4, 1)), STACKS[name](return_sequences=True), STACKS[name](), layers.Dense(1)]
    )
    model.compile(optimizer="adam", loss="mse")
    start = time.perf_counter()
    model.fit(tf.reshape(WINDOWS, (6, 4, 1)), TARGETS, epochs=100, verbose=0)
    elapsed_s = time.perf_counter() - start
    loss = model.evaluate(tf.reshape(WINDOWS, (6, 4, 1)), TARGETS, verbose=0)
    after_9, after_2 = model.predict(tf.reshape(UNSEEN, (2, 4, 1)), verbose=0)[:, 0]
    print(
        f"  {name:18} {model.count_params():9,} parameters  {elapsed_s:5.2f} s  loss {loss:.4f}  "
        f"6 7 8 9 -> {after_9:.2f}  -1 0 1 2 -> {after_2:.2f}"
    )


if __name__ == "__main__":
    tf.random.set_seed(7)
    print(f"'hello' {HELLO.shape} through SimpleRNN(units=2):")
    show_shapes()
    print("Four models learn to count, 100 epochs each:")
    for stack in STACKS:
        train(stack)
