"""The compiled module, built from native/bindings.cpp and native/bindings_plan.cpp; `recurra.ops` alone calls it.

tests/ops/test_native_stub.py compares this with what was built.
"""

from typing import Any

import numpy as np

Array = np.ndarray

def simple_rnn_forward(
    y: Array,
    h: Array,
    hs: Array | None,
    x: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None,
    h0: Array | None,
    mask: Array | None,
    dropout: Array | None,
    activation: int,
    go_backwards: bool,
    zero_output_for_mask: bool,
    return_sequences: bool,
) -> None: ...
def simple_rnn_backward(
    dx: Array | None,
    dh: Array,
    dkernel: Array | None,
    drecurrent_kernel: Array | None,
    dbias: Array | None,
    dy: Array | None,
    hs: Array,
    x: Array,
    kernel: Array,
    recurrent_kernel: Array,
    mask: Array | None,
    dropout: Array | None,
    activation: int,
    go_backwards: bool,
    zero_output_for_mask: bool,
    return_sequences: bool,
) -> None: ...
def lstm_forward(
    y: Array,
    h: Array,
    c: Array,
    gates: Array | None,
    hs: Array | None,
    cs: Array | None,
    x: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None,
    h0: Array | None,
    c0: Array | None,
    mask: Array | None,
    dropout: Array | None,
    activation: int,
    recurrent_activation: int,
    go_backwards: bool,
    zero_output_for_mask: bool,
    return_sequences: bool,
) -> None: ...
def lstm_backward(
    dx: Array | None,
    dh: Array,
    dc: Array,
    dkernel: Array | None,
    drecurrent_kernel: Array | None,
    dbias: Array | None,
    dy: Array | None,
    gates: Array,
    hs: Array,
    cs: Array,
    x: Array,
    kernel: Array,
    recurrent_kernel: Array,
    mask: Array | None,
    dropout: Array | None,
    activation: int,
    recurrent_activation: int,
    go_backwards: bool,
    zero_output_for_mask: bool,
    return_sequences: bool,
) -> None: ...
def gru_forward(
    y: Array,
    h: Array,
    gates: Array | None,
    hs: Array | None,
    x: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None,
    h0: Array | None,
    mask: Array | None,
    dropout: Array | None,
    reset_after: bool,
    activation: int,
    recurrent_activation: int,
    go_backwards: bool,
    zero_output_for_mask: bool,
    return_sequences: bool,
) -> None: ...
def gru_backward(
    dx: Array | None,
    dh: Array,
    dkernel: Array | None,
    drecurrent_kernel: Array | None,
    dbias: Array | None,
    dy: Array | None,
    gates: Array,
    hs: Array,
    x: Array,
    kernel: Array,
    recurrent_kernel: Array,
    mask: Array | None,
    dropout: Array | None,
    reset_after: bool,
    activation: int,
    recurrent_activation: int,
    go_backwards: bool,
    zero_output_for_mask: bool,
    return_sequences: bool,
) -> None: ...
def matmul(
    out: Array, a: Array, b: Array, bias: Array | None, transpose_a: bool, transpose_b: bool, accumulate: bool
) -> None: ...
def convolve(y: Array, x: Array, kernel: Array, bias: Array | None, stride: int, dilation: int) -> None: ...
def convolve_gradient(dkernel: Array, dy: Array, x: Array, stride: int, dilation: int) -> None: ...
def batched_matmul(out: Array, a: Array, b: Array, transpose_a: bool, transpose_b: bool) -> None: ...
def map(function: int, y: Array, x: Array) -> None: ...
def map_gradient(function: int, dx: Array, dy: Array, x: Array, y: Array) -> None: ...
def softmax(y: Array, x: Array, logarithm: bool) -> None: ...
def softmax_gradient(dx: Array, dy: Array, y: Array, logarithm: bool) -> None: ...
def normalize(
    y: Array,
    standardized: Array | None,
    inverse: Array | None,
    x: Array,
    gamma: Array | None,
    beta: Array | None,
    epsilon: float,
) -> None: ...
def normalize_gradient(
    dx: Array | None,
    dgamma: Array | None,
    dbeta: Array | None,
    dy: Array,
    standardized: Array,
    inverse: Array,
    gamma: Array | None,
) -> None: ...
def pool(kind: int, y: Array, x: Array, size: int, stride: int, before: int) -> None: ...
def pool_gradient(kind: int, dx: Array, dy: Array, x: Array, y: Array, size: int, stride: int, before: int) -> None: ...
def normalize_columns(
    y: Array,
    standardized: Array | None,
    inverse: Array | None,
    mean: Array,
    variance: Array,
    x: Array,
    gamma: Array | None,
    beta: Array | None,
    epsilon: float,
    of_batch: bool,
) -> None: ...
def normalize_columns_gradient(
    dx: Array,
    dgamma: Array | None,
    dbeta: Array | None,
    dy: Array,
    standardized: Array,
    inverse: Array,
    gamma: Array | None,
    of_batch: bool,
) -> None: ...
def adam(
    w: Array, g: Array, m: Array, v: Array, vhat: Array | None, beta_1: float, beta_2: float, epsilon: float
) -> UpdateFloat32: ...
def rmsprop(
    w: Array,
    g: Array,
    v: Array,
    m: Array | None,
    average: Array | None,
    rho: float,
    momentum: float,
    epsilon: float,
) -> UpdateFloat32: ...
def sgd(w: Array, g: Array, m: Array | None, momentum: float, nesterov: bool) -> UpdateFloat32: ...
def mean_loss(
    loss: LossFloat32, dy: Array | None, y: Array, target: Array, weights: Array | None, total: float
) -> float: ...
def sum_of_squares(x: Array) -> float: ...
def orthonormalize(rows: Array) -> bool: ...
def add_rows(out: Array, rows: Array, index: Array) -> None: ...
def as_row_numbers(out: Array, ids: Array, rows: int) -> bool: ...
def recurrent_layer(
    cell: int,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None,
    dkernel: Array | None,
    drecurrent_kernel: Array | None,
    dbias: Array | None,
    own_h: Array | None,
    own_c: Array | None,
    activation: int,
    recurrent_activation: int,
    reset_after: bool,
    go_backwards: bool,
    zero_output_for_mask: bool,
    return_sequences: bool,
    input_masks: int,
    has_state_masks: bool,
) -> RecurrentLayerFloat32: ...
def info() -> dict[str, Any]: ...
def set_num_threads(count: int) -> None: ...
def get_num_threads() -> int: ...

class RecurrentLayerFloat32:
    @property
    def return_sequences(self) -> bool: ...

class LossFloat32:
    def __init__(
        self,
        kind: int,
        delta: float,
        from_logits: bool,
        label_smoothing: float,
        epsilon: float,
        quantiles: Array | None,
    ) -> None: ...

class UpdateFloat32:
    def __call__(self, learning_rate: float, step: int) -> None: ...

class PlanFloat32:
    def __init__(self) -> None: ...
    def add_recurrent(self, layer: RecurrentLayerFloat32) -> None: ...
    def add_bidirectional(
        self, forward: RecurrentLayerFloat32, backward: RecurrentLayerFloat32, merge: int
    ) -> None: ...
    def add_dense(
        self,
        features: int,
        units: int,
        kernel: Array | None,
        bias: Array | None,
        dkernel: Array | None,
        dbias: Array | None,
        function: int,
        softmax: bool,
    ) -> None: ...
    def add_embedding(self, table: Array, dtable: Array | None, mask_zero: bool) -> None: ...
    def add_masking(self, features: int, value: float) -> None: ...
    def add_convolution(
        self,
        kernel: Array,
        bias: Array | None,
        dkernel: Array | None,
        dbias: Array | None,
        features: int,
        stride: int,
        dilation: int,
        padding: int,
        function: int,
    ) -> None: ...
    def add_pooling(self, kind: int, features: int, size: int, stride: int, padding: int) -> None: ...
    def add_repeat(self, n: int, features: int) -> None: ...
    def add_scaling(
        self,
        features: int,
        shift: Array,
        factor: Array | None,
        variance: Array | None,
        epsilon: float,
        back: bool,
    ) -> None: ...
    def add_normalization(
        self,
        features: int,
        epsilon: float,
        gamma: Array | None,
        beta: Array | None,
        dgamma: Array | None,
        dbeta: Array | None,
    ) -> None: ...
    def add_batch_normalization(
        self,
        features: int,
        epsilon: float,
        momentum: float,
        of_batch: bool,
        gamma: Array | None,
        beta: Array | None,
        mean: Array,
        variance: Array,
        dgamma: Array | None,
        dbeta: Array | None,
    ) -> None: ...
    def add_factors(self) -> None: ...
    def set_factors(self, index: int, factors: Array) -> None: ...
    def set_dropout(self, index: int, rows: int, inputs: Array | None, states: Array | None) -> None: ...
    def infer(self, y: Array, x: Array) -> None: ...
    def forward(self, y: Array, x: Array) -> None: ...
    def backward(self, dy: Array) -> None: ...
    def flops(self, x_size: int) -> float: ...
    def state_size(self) -> int: ...
    def memory_size(self, rows: int, x_size: int) -> int: ...

class StepperFloat32:
    def __init__(self, plan: PlanFloat32, y: Array, x: Array, states: Array, memory: Array) -> None: ...
    def __call__(self) -> None: ...
    @property
    def turn(self) -> int: ...

class TrainerFloat32:
    def __init__(self, plan: PlanFloat32, loss: LossFloat32, g: Array) -> None: ...
    def set_update(
        self,
        update: UpdateFloat32,
        iterations: Array,
        weight_decay: float,
        clipvalue: float,
        clipnorm: float,
        global_clipnorm: float,
        squares: float,
        sizes: list[int],
    ) -> None: ...
    @property
    def has_labels(self) -> bool: ...
    def takes(self, target: Array, columns: int) -> bool: ...
    def __call__(
        self,
        y: Array | None,
        x: Array,
        target: Array,
        weights: Array | None,
        total: float,
        columns: int,
        learning_rate: float,
    ) -> float: ...

# Those of float64 have the same methods. That they are subclasses is said for type checkers alone.

class RecurrentLayerFloat64(RecurrentLayerFloat32): ...
class LossFloat64(LossFloat32): ...
class UpdateFloat64(UpdateFloat32): ...
class PlanFloat64(PlanFloat32): ...
class StepperFloat64(StepperFloat32): ...
class TrainerFloat64(TrainerFloat32): ...
