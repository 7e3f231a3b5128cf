"""Callbacks made of functions."""

from played import run

from recurra import callbacks


def test_a_lambda_callback_calls_its_functions():
    seen = []
    run(callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((epoch, logs))), [1.0])
    assert seen == [(0, {"val_loss": 1.0})]
