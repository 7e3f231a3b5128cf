"""Keras's own test suites, run against recurra through a stand-in for Keras's internal imports.

They need an installed Keras (the `peers` extra). `left_out.txt` lists the tests that fail, each under the reason why;
a test that starts to fail, and one that starts to pass, are both told.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SUITES = {
    "layers/rnn": "rnn simple_rnn lstm gru bidirectional time_distributed stacked_rnn_cells",
    "optimizers": "adadelta adafactor adagrad adam adamax adamw ftrl lamb lion nadam optimizer rmsprop sgd",
    "optimizers/schedules": "learning_rate_schedule",
    "losses": "loss losses",
    "metrics": "accuracy_metrics confusion_metrics correlation_metrics f_score_metrics hinge_metrics iou_metrics "
    "metric probabilistic_metrics reduction_metrics regression_metrics",
    "callbacks": "backup_and_restore callback csv_logger early_stopping lambda_callback learning_rate_scheduler "
    "model_checkpoint monitor_callback reduce_lr_on_plateau swap_ema_weights terminate_on_nan",
    "models": "sequential cloning",
    "constraints": "constraints",
    "initializers": "constant_initializers random_initializers",
    "layers/activations": "activation elu leaky_relu prelu relu softmax",
    "layers/attention": "additive_attention attention",
    "layers/core": "identity masking wrapper",
    "layers/merging": "merging",
    "layers/normalization": "batch_normalization group_normalization layer_normalization rms_normalization "
    "unit_normalization",
    "layers/regularization": "activity_regularization dropout gaussian_dropout gaussian_noise",
    "layers/reshaping": "cropping1d flatten permute repeat_vector reshape up_sampling1d zero_padding1d",
}
FILES = [f"{folder}/{name}_test.py" for folder, names in SUITES.items() for name in names.split()]


LINES = (HERE / "left_out.txt").read_text(encoding="utf-8").splitlines()
LEFT_OUT = [line for line in LINES if line and not line.startswith("#")]


def left_out(file: str) -> set[str]:
    """Returns the tests of a file that are known to fail."""
    return {line.partition("::")[2] for line in LEFT_OUT if line.startswith(f"{file}::")}


def test_what_is_left_out_is_of_a_suite_that_runs() -> None:
    assert {line.partition("::")[0] for line in LEFT_OUT} <= set(FILES)


@pytest.fixture(scope="module")
def keras_src() -> Path:
    spec = importlib.util.find_spec("keras")
    if spec is None or spec.origin is None:
        pytest.skip("Keras is not installed")
    folder = Path(spec.origin).parent / "src"
    if not (folder / "layers/rnn/lstm_test.py").exists():
        pytest.skip("this Keras comes without its tests")
    return folder


@pytest.mark.parametrize("file", FILES)
def test_a_suite_of_keras(file: str, keras_src: Path) -> None:
    command = [sys.executable, str(HERE / "run.py"), str(keras_src), file]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([p for p in sys.path if p])}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, check=False)
    outcomes = [line.split("\t")[1:] for line in done.stdout.splitlines() if line.startswith("OUTCOME\t")]
    assert outcomes, done.stdout + done.stderr
    assert {name for name, outcome in outcomes if outcome == "failed"} == left_out(file)
