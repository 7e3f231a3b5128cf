"""The layers: recurrent ones on the native engine, and those that sequence models need beside them."""

from typing import TYPE_CHECKING, Any

from recurra import saving
from recurra._missing import says_what_to_do
from recurra.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Rescaling, Softmax
from recurra.layers.attention import AdditiveAttention, Attention
from recurra.layers.base import Layer
from recurra.layers.bidirectional import Bidirectional
from recurra.layers.cells import StackedRNNCells
from recurra.layers.convolution import Conv1D
from recurra.layers.data_normalization import Normalization
from recurra.layers.dense import Dense
from recurra.layers.dropout import Dropout, GaussianDropout, GaussianNoise, SpatialDropout1D
from recurra.layers.embedding import Embedding
from recurra.layers.gru import GRU, GRUCell
from recurra.layers.identity import ActivityRegularization, Identity
from recurra.layers.input_layer import Input, InputLayer
from recurra.layers.lstm import LSTM, LSTMCell
from recurra.layers.masking import Masking
from recurra.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from recurra.layers.multi_head_attention import MultiHeadAttention
from recurra.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from recurra.layers.pooling import AveragePooling1D, GlobalAveragePooling1D, GlobalMaxPooling1D, MaxPooling1D
from recurra.layers.recurrent import RNN
from recurra.layers.reshaping import Cropping1D, Flatten, Permute, RepeatVector, Reshape, UpSampling1D, ZeroPadding1D
from recurra.layers.simple_rnn import SimpleRNN, SimpleRNNCell
from recurra.layers.time_distributed import TimeDistributed
from recurra.layers.wrapper import Wrapper
from recurra.saving import deserialize_keras_object as deserialize

if TYPE_CHECKING:
    from recurra.models.lambda_layer import Lambda  # a model of layers: recurra.models puts it here


def serialize(layer: Any) -> Any:
    """Returns the layer's serialized form."""
    return saving.serialize_keras_object(layer)


AvgPool1D, MaxPool1D, Convolution1D = AveragePooling1D, MaxPooling1D, Conv1D  # Keras's other names
GlobalAvgPool1D, GlobalMaxPool1D = GlobalAveragePooling1D, GlobalMaxPooling1D

if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)

__all__ = [
    "ELU",
    "GRU",
    "LSTM",
    "RNN",
    "Activation",
    "ActivityRegularization",
    "Add",
    "AdditiveAttention",
    "Attention",
    "Average",
    "AveragePooling1D",
    "AvgPool1D",
    "BatchNormalization",
    "Bidirectional",
    "Concatenate",
    "Conv1D",
    "Convolution1D",
    "Cropping1D",
    "Dense",
    "Dot",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRUCell",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAvgPool1D",
    "GlobalMaxPool1D",
    "GlobalMaxPooling1D",
    "GroupNormalization",
    "Identity",
    "Input",
    "InputLayer",
    "LSTMCell",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "MaxPool1D",
    "MaxPooling1D",
    "Maximum",
    "Minimum",
    "MultiHeadAttention",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "RMSNormalization",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "SimpleRNN",
    "SimpleRNNCell",
    "Softmax",
    "SpatialDropout1D",
    "StackedRNNCells",
    "Subtract",
    "TimeDistributed",
    "UnitNormalization",
    "UpSampling1D",
    "Wrapper",
    "ZeroPadding1D",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]
