"""What notebooks about recurrent networks use of TensorFlow, so that one changed import line runs them.

>>> import recurra.compat.tensorflow as tf
>>> tf.reshape(tf.range(6), (3, 2)).numpy().tolist()
[[0, 1], [2, 3], [4, 5]]
>>> from recurra.compat.tensorflow.keras.layers import LSTM

Tensors are NumPy arrays with `.numpy()`; numbers in lists become float32 and int32, as in TensorFlow. There is no
`GradientTape`, no graph and no device: layers know their own gradients, and everything runs at once, on the CPU.
`__version__` is that of the TensorFlow whose names and results these are.
"""

from typing import TYPE_CHECKING

from recurra import initializers as initializers
from recurra import optimizers as optimizers
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow import _initializers as _own
from recurra.compat.tensorflow import autograph as autograph
from recurra.compat.tensorflow import compat as compat
from recurra.compat.tensorflow import config as config
from recurra.compat.tensorflow import data as data
from recurra.compat.tensorflow import dtypes as dtypes
from recurra.compat.tensorflow import keras as keras
from recurra.compat.tensorflow import linalg as linalg
from recurra.compat.tensorflow import math as math
from recurra.compat.tensorflow import nest as nest
from recurra.compat.tensorflow import nn as nn
from recurra.compat.tensorflow import random as random
from recurra.compat.tensorflow import test as test
from recurra.compat.tensorflow import version as version
from recurra.compat.tensorflow._conversion import taking_name as _taking_name
from recurra.compat.tensorflow._elements import TensorSpec as TensorSpec
from recurra.compat.tensorflow.data import map_fn as map_fn
from recurra.compat.tensorflow.keras import losses as losses
from recurra.compat.tensorflow.keras import metrics as metrics
from recurra.compat.tensorflow.tensors import *
from recurra.compat.tensorflow.variable import Variable as Variable

__version__ = version.VERSION
constant_initializer, ones_initializer, zeros_initializer = _own.Constant, initializers.Ones, initializers.Zeros
random_normal_initializer, random_uniform_initializer = _own.RandomNormal, _own.RandomUniform

# What TensorFlow's functions all take is not written at each of them.
globals().update({name: _taking_name(value) for name, value in globals().items() if not name.startswith("_")})
for _module in (dtypes, linalg, math, nn, random):
    vars(_module).update({name: _taking_name(getattr(_module, name)) for name in _module.__all__})

if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
