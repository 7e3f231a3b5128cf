"""What beginners get wrong: the error says what was given, what was expected and what to do."""

import io
import re
from functools import partial

import numpy as np
import pytest

import recurra
import recurra.compat.tensorflow as tf
from recurra import callbacks, layers, losses, metrics, models, optimizers, utils

X = np.random.default_rng(0).normal(size=(8, 5, 3)).astype("float32")
Y = X.mean(axis=(1, 2))
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1])
ONE_HOT = np.eye(3)[LABELS]


def model(units=1, activation=None, loss="mse", **options):
    made = recurra.Sequential([recurra.Input((5, 3), name="past"), layers.LSTM(4), layers.Dense(units, activation)])
    made.compile("adam", loss, **options)
    return made


def fit(x=X, y=Y, **options):
    return model().fit(x, y, verbose=0, **options)


def untrainable():
    made = model()
    made.compile(None, "mse")
    return made


def past_and_month():
    past, month = recurra.Input((5, 3), name="past"), recurra.Input((3,), name="month")
    made = recurra.Model([past, month], layers.Dense(1)(layers.Concatenate()([layers.LSTM(2)(past), month])))
    made.compile("sgd", "mse")
    return made


def two_ends():
    past, future = recurra.Input((5, 3), name="past"), recurra.Input((5, 3), name="future")
    ends = [layers.Dense(1, name=name)(layers.LSTM(2)(end)) for name, end in (("a", past), ("b", future))]
    made = recurra.Model([past, future], ends)
    made.compile("adam", "mse")
    return made


def sequences(loss):
    made = recurra.Sequential([recurra.Input((5, 3)), layers.LSTM(4, return_sequences=True), layers.Dense(1)])
    made.compile("adam", loss)
    return made


def classify(loss, y, units=3, **options):
    return model(units, "softmax" if units > 1 else None, loss, **options).fit(X, y, verbose=0)


def unbuilt():
    return recurra.Sequential([layers.LSTM(4), layers.Dense(1)])


class Forgetful(layers.Layer):
    def __init__(self):
        pass


def batches():
    yield X, Y


MISTAKES = {
    "an axis joined": (lambda: fit(X.reshape(8, 15)), "expected shape (None, 5, 3), got (8, 15): x.reshape(-1, 5, 3)"),
    "a row of two inputs": (
        lambda: past_and_month().predict([X[0], X[0, 0]], verbose=0),
        "got (5, 3): one row needs a batch axis: x[None]",
    ),
    "one array for two inputs": (
        lambda: past_and_month()(X),
        "expected 2 inputs ['past', 'month'], got 1: give the inputs in a list",
    ),
    "one target for two units": (
        lambda: classify("mse", LABELS, 2),
        "its shape (8, 2), got (8,): write a last layer of 1 unit; for classes give one-hot targets, or sparse_cat",
    ),
    "a sequence repeated": (
        lambda: recurra.Sequential(
            [recurra.Input((5, 3)), layers.LSTM(4, return_sequences=True), layers.RepeatVector(5)]
        ),
        "got (None, 5, 4): the shape of an Input leaves out the batch axis, and a recurrent layer gives the last time",
    ),
    "an Embedding of more than numbers": (
        lambda: recurra.Sequential([recurra.Input((5, 3)), layers.Embedding(4, 2), layers.LSTM(5)]),
        "(None, 5, 3, 2): the shape of an Input leaves out the batch axis, and that in front of an Embedding is (time",
    ),
    "each of no time steps": (
        lambda: recurra.Sequential([recurra.Input((5, 3)), layers.LSTM(3), layers.TimeDistributed(layers.Dense(1))]),
        "3 axes at least, got (None, 3): give a recurrent layer before it return_sequences=True",
    ),
    "a layer twice in a line": (
        lambda: recurra.Sequential([recurra.Input((5, 3)), *[layers.Dense(3, name="tied")] * 2]),
        "different names, got 'tied' twice: recurra.Model(x, y) takes a layer in two places, as in y = layer(layer(x))",
    ),
    "two layers of one name": (
        lambda: recurra.Sequential([layers.Dense(3, name="a"), layers.Dense(3, name="a")]),
        "different names, got 'a' twice: give one of them another name=",
    ),
    "a class in both directions": (
        lambda: layers.Bidirectional(layers.LSTM),
        "expected a recurrent layer, got <class 'recurra.layers.lstm.LSTM'>: make an object of it: LSTM(...)",
    ),
    "a class for each step": (lambda: layers.TimeDistributed(layers.Dense), "make an object of it: Dense(...)"),
    "a class in a line": (lambda: recurra.Sequential([layers.Dense]), "make an object of it: Dense(...)"),
    "the class of a cell": (lambda: layers.RNN(layers.LSTMCell), "make an object of it: LSTMCell(...)"),
    "losses for one output": (
        lambda: model(loss=["mse", "mae"]).fit(X, Y, verbose=0),
        "got ['mse', 'mae']: for a sum of losses write a loss that adds them",
    ),
    "an optimizer for a loss": (lambda: model(loss="adam"), "got 'adam': it is the name of an optimizer"),
    "a metric for a loss": (lambda: model(loss="accuracy"), "got 'accuracy': it is the name of a metric"),
    "a loss for an optimizer": (lambda: optimizers.get("mse"), "got 'mse': it is the name of a loss"),
    "a metric's object for a loss": (
        lambda: model(loss=metrics.MeanSquaredError(name="m")).fit(X, Y, verbose=0),
        "expected a loss, got the metric <MeanSquaredError name=m>: recurra.losses has losses",
    ),
    "four parts to validate on": (
        lambda: fit(validation_data=(X, Y, Y, Y)),
        "got 4 parts: several inputs or targets are lists within it, as in ([x1, x2], y)",
    ),
    "data for the shape of an Input": (
        lambda: recurra.Input(X),
        "got an array of shape (8, 5, 3): write Input(x.shape[1:]) for rows of x",
    ),
    "None for weights": (lambda: model().set_weights(None), "expected a list of arrays, as get_weights gives it, got"),
    "text for a mask value": (
        lambda: layers.Masking("0"),
        "Masking mask_value expected numbers, got an array of dtype",
    ),
    "None for a mask value": (lambda: layers.Masking(None), "Masking mask_value expected numbers, got None"),
    "mask values of too few features": (
        lambda: layers.Masking([0, 0])(X),
        "mask_value to be a number, or one for each feature of (8, 5, 3), got shape (2,)",
    ),
    "a dtype that NumPy takes for float64": (
        lambda: layers.LSTM(2, dtype="float"),
        "got 'float': did you mean 'float64' or 'float32'?",
    ),
    "no batch axis": (lambda: model().predict(X[0], verbose=0), "got (5, 3): one row needs a batch axis: x[None]"),
    "x and y in a tuple": (
        lambda: fit((X, Y), None),
        "a tuple of arrays of shapes (8, 5, 3), (8,): give x and y apart",
    ),
    "y as a list of arrays": (lambda: fit(y=list(Y[:, None])), "got a list of 8: np.array(...) makes one"),
    "a function for a generator": (lambda: fit(batches, None), "expected numbers, got function: call it"),
    "None among the data": (
        lambda: unbuilt().predict([None], verbose=0),
        "the data expected numbers, got None",
    ),
    "text for data": (lambda: unbuilt().predict("abc", verbose=0), "expected numbers, got an array of dtype <U3"),
    "numbers without axes": (lambda: unbuilt().predict([1, 2, 3], verbose=0), "x.reshape(batch, timesteps, features)"),
    "validation_split as text": (lambda: fit(validation_split="0.2"), "validation_split between 0 and 1, got '0.2'"),
    "shuffle misspelt": (lambda: fit(shuffle="bacth"), "shuffle to be one of 'batch', True, False, got 'bacth'"),
    "class weights in a list": (lambda: fit(class_weight=[1, 2]), "weights, such as {0: 1.0, 1: 2.5}, got [1, 2]"),
    "too many loss_weights": (
        lambda: model(loss_weights=[1, 2]).fit(X, Y),
        "loss_weights of one number for each output",
    ),
    "text for loss_weights": (
        lambda: model(loss_weights="high").fit(X, Y),
        "compile's loss_weights expected numbers, got an array of dtype <U4",
    ),
    "targets for each step": (
        lambda: fit(y=X[:, :, :1]),
        "got (8, 5, 1): a recurrent layer gives a value for each time",
    ),
    "targets of more units": (lambda: fit(y=X[:, :, 0]), "its shape (8, 1), got (8, 5): a last layer of 5 units gives"),
    "targets too wide to evaluate": (
        lambda: model().evaluate(X, np.zeros((8, 3)), verbose=0),
        "its shape (8, 1), got (8, 3): a last layer of 3 units gives as many",
    ),
    "one target for many steps": (
        lambda: sequences("mae").fit(X, Y[:, None], verbose=0),
        "its shape (8, 5, 1), got (8, 1): a recurrent layer gives one value for each sequence without return_sequences",
    ),
    "as many rows as steps": (
        lambda: sequences("huber").fit(X[:5], Y[:5], verbose=0),
        "its shape (5, 5, 1), got (5,): a recurrent layer gives one value",
    ),
    "one input of two": (lambda: two_ends().predict(X, verbose=0), "expected 2 inputs ['past', 'future'], got 1"),
    "one target of two": (lambda: two_ends().fit([X, X], Y), "outputs ['a', 'b'], got 'ndarray': give a list with one"),
    "whole labels": (lambda: classify("categorical_focal_crossentropy", LABELS), "are for sparse_categorical_cross"),
    "one-hot labels of one step": (
        lambda: losses.CategoricalCrossentropy()(np.ones((2, 1, 3)), np.full((2, 5, 3), 1 / 3)),
        "categorical_crossentropy expected y_true of shape (2, 5, 3), got (2, 1, 3)",
    ),
    "a decoder's states in both directions": (
        lambda: layers.Bidirectional(layers.GRU(4))(recurra.Input((5, 3)), initial_state=[recurra.Input((5,))] * 2),
        "GRU expected initial states of shape (None, 4), got (None, 5)",
    ),
    "a loss of two numbers": (
        lambda: losses.mse(1.0, 2.0),
        "y_pred of a loss expected an array, got the single number 2.0: a loss is a mean over the last axis",
    ),
    "labels from one": (
        lambda: classify("sparse_categorical_crossentropy", LABELS + 1),
        "labels from 0 to 2, got 3: labels begin at 0, and the last layer has a unit for each",
    ),
    "labels with gaps": (
        lambda: classify("sparse_categorical_crossentropy", np.where(LABELS > 1, np.nan, LABELS)),
        "y_true of sparse_categorical_crossentropy expected whole numbers, got nan",
    ),
    "one-hot labels": (
        lambda: losses.CategoricalGeneralizedCrossEntropy()(ONE_HOT, np.full((8, 3), 1 / 3)),
        "categorical_generalized_cross_entropy expected y_true of shape (8,), got (8, 3): one-hot labels are for",
    ),
    "a metric of one-hot labels": (
        lambda: classify("sparse_categorical_crossentropy", LABELS, metrics=["categorical_accuracy"]),
        "got (8,): labels that are whole numbers are for sparse_categorical_accuracy",
    ),
    "a metric of whole labels": (
        lambda: metrics.SparseCategoricalAccuracy()(ONE_HOT, ONE_HOT),
        "expected y_true of shape (8,), got (8, 3): one-hot labels are for categorical_accuracy",
    ),
    "whole labels for the k best": (
        lambda: metrics.TopKCategoricalAccuracy()(LABELS, ONE_HOT),
        "whole numbers are for sparse_top_k_categorical_accuracy",
    ),
    "one-hot labels for the k best": (
        lambda: metrics.SparseTopKCategoricalAccuracy()(ONE_HOT, ONE_HOT),
        "one-hot labels are for top_k_categorical_accuracy",
    ),
    "whole labels for precision": (
        lambda: metrics.Precision()(LABELS, ONE_HOT),
        "Precision expected y_true of shape (8, 3), got (8,): utils.to_categorical makes one-hot labels",
    ),
    "sequences for R2": (lambda: metrics.R2Score()(X, X), "shape (N, outputs), got (8, 5, 3) and (8, 5, 3)"),
    "an activation misspelt": (lambda: layers.LSTM(4, "thanh"), "got 'thanh': did you mean 'tanh'?"),
    "half a name": (lambda: layers.LSTM(4, kernel_initializer="glorot"), "did you mean 'GlorotNormal' or 'GlorotUnif"),
    "a shape as a number": (
        lambda: recurra.Input(5),
        "Input expected shape to be a tuple, without the batch, got 5: write Input((5,)), or Input((timesteps, featur",
    ),
    "a shape as two numbers": (lambda: recurra.Input(5, 3), "a tuple, without the batch, got 5: write Input((5,)), or"),
    "a batch's shape as a number": (
        lambda: layers.InputLayer(batch_shape=5),
        "Input expected batch_shape to be a tuple, with the batch, got 5",
    ),
    "a name for trainable": (
        lambda: recurra.Sequential([layers.Dense(2)], "line"),
        "Sequential expected trainable to be True or False, got 'line'",
    ),
    "a build without a shape": (
        lambda: recurra.Sequential([layers.Dense(2)]).build(),
        "build expected an input shape with the batch, such as (None, 5, 3), got None",
    ),
    "a build for a number": (
        lambda: layers.Dense(2).build(3),
        "build expected an input shape with the batch, such as (None, 5, 3), got 3",
    ),
    "a model of nothing": (lambda: recurra.Model([], []), "Model expected inputs, one at least, got none"),
    "a model without ends": (
        lambda: recurra.Model(recurra.Input((3,)), []),
        "Model expected outputs, one at least, got none",
    ),
    "a dtype misspelt": (
        lambda: layers.LSTM(3, dtype="flaot32"),
        "LSTM expected dtype to be 'float32' or 'float64', got 'flaot32': did you mean 'float32'?",
    ),
    "text among objects": (
        lambda: unbuilt().predict(np.array([["a", 1.0]], object), verbose=0),
        "the data expected numbers, got an array of dtype object: turn text into numbers first",
    ),
    "two letters of a name": (lambda: layers.Dense(2, kernel_initializer="he"), "did you mean 'HeNormal' or 'HeUnif"),
    "two letters of a metric": (lambda: model(metrics=["f1"]), "got 'f1': did you mean 'F1Score' or 'f1_score'?"),
    "a regularizer that is not": (
        lambda: layers.Dense(2, kernel_regularizer="l3"),
        "got 'l3': the names are 'l1', 'l2', 'l1l2', 'orthogonal_regularizer'",
    ),
    "a number for a regularizer": (
        lambda: layers.Dense(2, kernel_regularizer=0.01),
        "regularizers.get expected a regularizer or its name, got 0.01: write regularizers.L2(0.01)",
    ),
    "input_shape as a number": (lambda: layers.LSTM(4, input_shape=5), "input_shape to be a tuple of whole numbers"),
    "a layer for a cell": (lambda: layers.RNN(layers.LSTM(4)), "recurrent layers go over time by themselves"),
    "no inputs": (lambda: layers.LSTM(4, name="memory")(None), "layer 'memory' expected inputs, got None"),
    "an output and its states": (
        lambda: layers.Dense(1, name="end")(layers.LSTM(4, return_state=True)(recurra.Input((5, 3)))),
        "layer 'end' expected one input, got 3 in a tuple, of shapes (None, 4), (None, 4), (None, 4): a layer with "
        "return_state=True gives its states too, as in output, h, c = LSTM(...)(x)",
    ),
    "an output and its state of an array": (
        lambda: layers.Dense(1, name="end")(layers.GRU(4, return_state=True)(X)),
        "layer 'end' expected one input, got 2 in a tuple, of shapes (8, 4), (8, 4): a layer with return_state=True",
    ),
    "states beside the input": (
        lambda: layers.LSTM(4, name="memory")([recurra.Input((5, 3)), recurra.Input((4,)), recurra.Input((4,))]),
        "layer 'memory' expected one input, got 3 in a list, of shapes (None, 5, 3), (None, 4), (None, 4): pass states",
    ),
    "one tensor in a list": (
        lambda: layers.Flatten()([recurra.Input((5, 3))]),
        "expected one input, got 1 in a list, of shapes (None, 5, 3): give the tensor itself",
    ),
    "inputs in a dict": (
        lambda: layers.Dense(2)({"a": recurra.Input((3,)), "b": recurra.Input((4,))}),
        "expected one input, got 2 in a dict, of shapes (None, 3), (None, 4): merge them first, as with Concatenate()",
    ),
    "two inputs of an unbuilt model": (
        lambda: recurra.Sequential([layers.Dense(2)])([recurra.Input((3,)), recurra.Input((3,))]),
        "expected one input, got 2 in a list, of shapes (None, 3), (None, 3)",
    ),
    "states of an LSTM": (
        lambda: layers.LSTM(4)(X, initial_state=np.zeros((8, 4))),
        "2 initial states, of sizes 4, 4, got 1",
    ),
    "a decoder of other units": (
        lambda: layers.LSTM(5)(recurra.Input((5, 3)), initial_state=[recurra.Input((4,)), recurra.Input((4,))]),
        "LSTM expected initial states of shape (None, 5), got (None, 4)",
    ),
    "an encoder's outputs for states": (
        lambda: layers.GRU(4)(recurra.Input((5, 3)), initial_state=layers.LSTM(4, return_state=True)(X[:1])),
        "GRU expected 1 initial states, of sizes 4, got 3",
    ),
    "states of one direction": (
        lambda: layers.Bidirectional(layers.LSTM(4))(X, initial_state=[np.zeros((8, 4))] * 2),
        "Bidirectional expected 2 initial states forward, then 2 backward, got 2",
    ),
    "a sum of other units": (
        lambda: layers.Bidirectional(layers.GRU(3), "sum", backward_layer=layers.GRU(4, go_backwards=True)),
        "both layers to have the same units with merge_mode='sum', got 3 and 4",
    ),
    "one cell for a stack": (lambda: layers.StackedRNNCells(layers.LSTMCell(3)), "expected a list of cells, got <LSTM"),
    "a shape as text": (lambda: layers.Reshape("5,3"), "Reshape expected target_shape of whole numbers, got '5,3'"),
    "a layer for data": (lambda: layers.Dense(3)(layers.Dense(4)), "expected numbers, got Dense: call it, and give"),
    "no optimizer": (lambda: untrainable().fit(X, Y), "training expected an optimizer, got none: name one in compile"),
    "NaN for an index": (
        lambda: layers.Embedding(9, 2)(np.array([np.nan])),
        "Embedding expected whole numbers, got nan",
    ),
    "a whole number too large": (
        lambda: layers.Embedding(9, 2)(np.array([2**63 + 1], "uint64")),
        "Embedding expected whole numbers between -2**63 and 2**63, got 9223372036854775809",
    ),
    "a label too large": (
        lambda: classify("sparse_categorical_crossentropy", LABELS.astype("uint64") + np.uint64(2**63)),
        "whole numbers between -2**63 and 2**63, got 92233720368547758",
    ),
    "weights before build": (lambda: layers.LSTM(4).set_weights([X]), "0 weights, got 1: it is not built"),
    "arrays for a model": (
        lambda: recurra.Model(X, Y),
        "symbolic tensors from Input and layers, got an array of shape (8, 5, 3)",
    ),
    "a layer half named": (lambda: model().get_layer("pas"), "expected one of ['lstm"),
    "a layer's place far off": (lambda: model().get_layer(index=-9), "an index below 2, got -9"),
    "a layer's place as a name": (lambda: model().get_layer(1), "got 1: write index=1"),
    "a clone of nothing": (lambda: models.clone_model(None), "clone_model expected a model, got None"),
    "text for sequences": (
        lambda: utils.pad_sequences([["a", "b"]]),
        "numbers for int32, got ['a', 'b']: keras.preproc",
    ),
    "a text for a sequence": (lambda: utils.pad_sequences(["ab"]), "expected sequences, got 'ab' at 0"),
    "vectors of several sizes": (
        lambda: utils.pad_sequences([[[1], [2, 3]]]),
        "vectors of one size, got [[1], [2, 3]] at 0",
    ),
    "a length as text": (
        lambda: utils.pad_sequences([[1]], maxlen="3"),
        "maxlen to be a whole number, not negative, got '3'",
    ),
    "no labels": (lambda: utils.to_categorical([]), "expected labels, or num_classes, got neither"),
    "NaN for a label": (lambda: utils.to_categorical([np.nan]), "expected whole numbers, got NaN or infinity"),
    "windows in no batches": (
        lambda: utils.timeseries_dataset_from_array(X, None, 3, batch_size=0),
        "batch_size to be a positive integer, got 0",
    ),
    "windows of text": (lambda: utils.timeseries_dataset_from_array(["a", "b"], None, 2), "data expected numbers"),
    "a seed as text": (lambda: utils.set_random_seed("7"), "seed to be a whole number from 0 to 2**32 - 1, got '7'"),
    "threads as text": (lambda: recurra.set_num_threads("2"), "a number from 1 to 256, got '2'"),
    "rows that do not pair": (lambda: tf.data.Dataset.from_tensor_slices((X, Y[:3])), "got shapes (8, 5, 3), (3,)"),
    "batches of nothing": (lambda: tf.data.Dataset.range(3).batch(0), "batch_size to be a positive integer, got 0"),
    "four parts of a batch": (lambda: fit(iter([(X, Y, Y, Y)]), None), "(x, y, sample_weight), got one of 4 parts"),
    "an initializer without a shape": (lambda: recurra.Variable("zeros"), "a shape beside an initializer"),
    "an option that is not here": (
        lambda: layers.MultiHeadAttention(1, 2, use_gate=True),
        "use_gate=False, got True: docs/coming-from-keras.md",
    ),
    "an option with another way": (
        lambda: layers.LayerNormalization(rms_scaling=True),
        "got True: use RMSNormalization",
    ),
}
OPTIONS = {  # out of range, refused where they are given: NumPy would tell of them in a later call, or nobody
    "a function for a penalty": (
        lambda: layers.Dense(3, kernel_regularizer=lambda w: 0.01 * np.sum(w**2)),
        "regularizers.get expected a regularizer with a gradient, got the function '<lambda>': write a subclass of "
        "regularizers.Regularizer with __call__(x) and gradient(x)",
    ),
    "an axis as text": (lambda: layers.LayerNormalization("last")(X), "axis to be a whole number, got 'last'"),
    "a seed of a layer": (lambda: layers.Dropout(0.5, seed="abc"), "seed to be a whole number, got 'abc'"),
    "half a seed": (lambda: layers.LSTM(3, seed=2.5), "seed to be a whole number, got 2.5"),
    "a seed of an initializer": (
        lambda: recurra.initializers.HeNormal(seed=[1]),
        "HeNormal expected seed to be a whole number, got [1]",
    ),
    "half a group": (lambda: layers.GroupNormalization(2.5), "groups to be a positive integer, got 2.5"),
    "no group": (lambda: layers.GroupNormalization(0), "groups to be a positive integer, got 0"),
    "axes of a batch": (
        lambda: layers.BatchNormalization(axis=[1, 2]),
        "BatchNormalization expected axis to be a whole number, got [1, 2]",
    ),
    "an epsilon as text": (lambda: layers.RMSNormalization(epsilon="abc"), "epsilon to be a number, not negative"),
    "a slope as text": (
        lambda: layers.LeakyReLU("steep"),
        "LeakyReLU expected negative_slope to be a number, not negative, got 'steep'",
    ),
    "no threshold": (lambda: layers.ReLU(threshold=None), "threshold to be a number, not negative, got None"),
    "a limit as text": (lambda: layers.ReLU("6"), "ReLU expected max_value to be a number, not negative, got '6'"),
    "no features of a value": (
        lambda: layers.MultiHeadAttention(1, 2, value_dim=0),
        "value_dim to be a positive integer, got 0",
    ),
    "half an axis of attention": (
        lambda: layers.MultiHeadAttention(1, 2, attention_axes=2.5),
        "attention_axes to be one of (1,), got (2.5,)",
    ),
    "one axis to permute": (lambda: layers.Permute(2), "Permute expected dims to be a tuple, got 2"),
    "no shape": (lambda: layers.Reshape(None), "Reshape expected target_shape of whole numbers, got None"),
    "half a shared axis": (
        lambda: layers.PReLU(shared_axes=1.5).build((None, 3)),
        "PReLU expected axis to be a whole number, got 1.5",
    ),
    "a clip as text": (lambda: optimizers.SGD(clipnorm="1"), "clipnorm to be a number, not negative, got '1'"),
    "half a step": (
        lambda: optimizers.SGD(gradient_accumulation_steps=2.5),
        "gradient_accumulation_steps to be a positive integer, got 2.5",
    ),
    "steps of a decay under a name": (
        lambda: optimizers.schedules.CosineDecay(0.1, "10", name="mine"),
        "CosineDecay expected decay_steps to be a number, got '10'",
    ),
    "a rate as text": (
        lambda: optimizers.schedules.PolynomialDecay("0.1", 10),
        "PolynomialDecay expected initial_learning_rate to be a number, got '0.1'",
    ),
    "half a threshold": (lambda: metrics.AUC(2.5), "num_thresholds to be a positive integer, got 2.5"),
    "a recall as text": (
        lambda: metrics.PrecisionAtRecall("0.5"),
        "PrecisionAtRecall expected recall to be a number between 0 and 1, got '0.5'",
    ),
    "no class": (lambda: metrics.MeanIoU(0), "MeanIoU expected num_classes to be a positive integer, got 0"),
    "no class to look at": (lambda: metrics.IoU(2, []), "target_class_ids below 2, one at least, got []"),
    "a quantile in percent": (
        lambda: losses.Pinball([0.1, 90]),
        "Pinball expected each of the quantiles to be a number between 0 and 1, got 90",
    ),
    "a hook misspelt": (
        lambda: callbacks.LambdaCallback(on_epoch_ends=print),
        "LambdaCallback expected known arguments, got 'on_epoch_ends': did you mean 'on_epoch_end'",
    ),
    "elements from nowhere": (
        lambda: tf.data.Dataset.range(3).shuffle(0),
        "shuffle expected buffer_size to be a positive integer, got 0",
    ),
    "windows of nothing": (lambda: tf.data.Dataset.range(3).window(0), "size to be a positive integer, got 0"),
    "shards of nothing": (lambda: tf.data.Dataset.range(3).shard(0, 0), "num_shards to be a positive integer, got 0"),
    "windows side by side": (
        lambda: tf.keras.preprocessing.sequence.TimeseriesGenerator(X, Y, 2, stride=0),
        "TimeseriesGenerator expected stride to be a positive integer, got 0",
    ),
}


class Subclassed(recurra.Model):
    def __init__(self):
        super().__init__()
        self.end = layers.Dense(1)

    def call(self, inputs):
        return self.end(inputs[:, -1])


def subclassed():
    made = Subclassed()
    made.compile("sgd", "mse")
    made.fit(X, Y, verbose=0)


def without_backward():
    made = recurra.Sequential([layers.Dense(1), type("Twice", (layers.Layer,), {"call": lambda self, x: 2 * x})()])
    made.compile("sgd", "mse")
    made.fit(X[:, 0], Y, verbose=0)


def through_a_function():
    classify(lambda y_true, y_pred: losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True), LABELS)


OTHER_ERRORS = {
    "a model as a subclass": (
        subclassed,
        NotImplementedError,
        "Subclassed expected a method backward(doutputs, cache) to be trained, got none: "
        "build it as keras.Model(inputs, outputs)",
    ),
    "a layer without backward": (
        without_backward,
        NotImplementedError,
        "Twice expected a method backward(doutputs, cache) to be trained, got none: docs/coming-from-keras.md",
    ),
    "a loss that calls another": (
        through_a_function,
        NotImplementedError,
        "or give a built-in itself, such as loss=SparseCategoricalCrossentropy(from_logits=True)",
    ),
    "a Lambda": (
        lambda: layers.Lambda(lambda x: np.log(x))(np.ones((2, 3))),
        TypeError,
        "write another as a Layer with forward(inputs) and, to be trained, backward(doutputs, cache)",
    ),
    "the shape of Keras 1": (
        lambda: layers.LSTM(3, input_length=2, input_dim=10),
        ValueError,
        "LSTM expected known arguments, got 'input_length': write input_shape=(input_length, input_dim)",
    ),
    "layers for strings": (
        lambda: layers.StringLookup,
        AttributeError,
        "got 'StringLookup': make numbers of the strings with a dict",
    ),
    "a transposed convolution": (
        lambda: layers.Conv1DTranspose,
        AttributeError,
        "got 'Conv1DTranspose': use UpSampling1D and Conv1D",
    ),
    "layers not in a list": (
        lambda: recurra.Sequential(recurra.Input((5, 3), name="past"), layers.LSTM(4)),
        TypeError,
        "Sequential expected a list of layers, got <KerasTensor shape=(None, 5, 3), dtype=float32, name=past>: write",
    ),
    "the weight of a class as text": (
        lambda: fit(class_weight={0: "a"}),
        TypeError,
        "fit expected class_weight[0] to be a number, got 'a'",
    ),
    "fit of Keras 2": (
        lambda: model().fit_generator,
        AttributeError,
        "'Sequential' object has no attribute 'fit_generator': fit takes generators",
    ),
    "a rate of Keras 2": (lambda: optimizers.Adam().lr, AttributeError, "attribute 'lr': write learning_rate for lr"),
    "an argument of a class without any": (
        lambda: recurra.initializers.Zeros(seed=1),
        TypeError,
        "Zeros() takes no arguments",
    ),
    "targets and predictions for a loss's options": (
        lambda: losses.MeanSquaredError(Y, Y),
        TypeError,
        "MeanSquaredError expected options, got two arrays: make the object first: MeanSquaredError()(y_true, y_pred)",
    ),
    "targets and predictions for options that are numbers": (
        lambda: losses.CategoricalCrossentropy(ONE_HOT, ONE_HOT),
        TypeError,
        "make the object first: CategoricalCrossentropy()(y_true, y_pred)",
    ),
    "targets and predictions for a metric's options": (
        lambda: metrics.MeanAbsoluteError([1.0], [1.0]),
        TypeError,
        "make the object first: MeanAbsoluteError()(y_true, y_pred)",
    ),
    "inputs of a call one by one": (
        lambda: past_and_month()(X, X[:, 0]),
        TypeError,
        "expected training to be True or False, got an array of shape (8, 3): give several inputs in a list",
    ),
    "an input too many": (lambda: model()(X, X), TypeError, "got an array of shape (8, 5, 3): give several inputs in"),
    "inputs to fit one by one": (
        lambda: past_and_month().fit(X, X[:, 0], Y),
        TypeError,
        "fit expected batch_size to be a positive integer, got an object of type ndarray: give several inputs",
    ),
    "inputs to evaluate one by one": (
        lambda: past_and_month().evaluate(X, X[:, 0], Y),
        TypeError,
        "evaluate expected batch_size to be a positive integer, got an object of type ndarray: give several inputs in",
    ),
    "inputs to predict one by one": (
        lambda: past_and_month().predict(X, X[:, 0]),
        TypeError,
        "predict expected batch_size to be a positive integer, got an object of type ndarray: give several inputs in",
    ),
    "a symbolic tensor in a condition": (
        lambda: bool(recurra.Input((3,), name="past")),
        TypeError,
        "a condition expected a value, got the symbolic tensor 'past': write `x is not None`",
    ),
    "no layer to remove": (lambda: recurra.Sequential().pop(), IndexError, "expected a layer to remove, got none"),
    "a file in memory": (
        lambda: model().save(io.BytesIO()),
        TypeError,
        "saving expected the path of a file, got BytesIO: a file in memory is not written or read",
    ),
    "weights in memory": (
        lambda: model().load_weights(io.BytesIO()),
        TypeError,
        "loading expected the path of a file, got BytesIO",
    ),
    "a method of tf.data": (
        lambda: utils.timeseries_dataset_from_array(X[0], None, 2).map(len),
        AttributeError,
        "got 'map': that of recurra.compat.tensorflow.keras.utils gives datasets with map, prefetch and the like",
    ),
    "the names of Keras 1": (
        lambda: recurra.Model(input=recurra.Input((3,)), output=recurra.Input((3,))),
        TypeError,
        "inputs and outputs, got input, output: write Model(inputs, outputs)",
    ),
    "an attribute misspelt": (lambda: layers.LSTM(3).unit, AttributeError, "'LSTM' object has no attribute 'unit'"),
    "an output before a call": (
        lambda: layers.LSTM(3, name="memory").output,
        AttributeError,
        "layer 'memory' expected a call on a symbolic tensor before, got none: put it into a model, or write layer(",
    ),
    "one end of a model": (lambda: recurra.Model(recurra.Input((3,))), TypeError, "expected inputs and outputs"),
    "a call's option misspelt": (lambda: layers.LSTM(4)(X, trainng=True), TypeError, "did you mean 'training'?"),
    "a rate for a schedule": (
        lambda: callbacks.LearningRateScheduler(0.1),
        TypeError,
        "a function of the epoch, got 0.1",
    ),
    "symbols divided": (
        lambda: 1 / recurra.Input((3,)),
        TypeError,
        "use a layer, or write one with forward and backward",
    ),
    "symbols compared": (lambda: recurra.Input((3,)) > 0, TypeError, "use a layer, or write one with forward"),
    "super forgotten": (lambda: Forgetful()(X), RuntimeError, "begin its __init__ with super().__init__(**kwargs)"),
    "forward missing": (lambda: layers.Layer()([X, X]), NotImplementedError, "a method forward(inputs), got none"),
    "an initializer without a call": (
        lambda: layers.Dense(1, kernel_initializer=recurra.Initializer())(X),
        NotImplementedError,
        "Initializer expected a method __call__(shape, dtype), got none",
    ),
    "a constraint without a call": (
        lambda: recurra.constraints.Constraint()(X),
        NotImplementedError,
        "Constraint expected a method __call__(w), got none",
    ),
    "a metric that takes nothing": (
        lambda: metrics.Metric().update_state(X, X),
        NotImplementedError,
        "Metric expected a method update_state(y_true, y_pred, sample_weight), got none",
    ),
    "a metric that gives nothing": (
        lambda: metrics.Metric().result(),
        NotImplementedError,
        "Metric expected a method result(), got none",
    ),
    "a layer misspelt": (lambda: layers.LTSM, AttributeError, "got 'LTSM': did you mean 'LSTM'?"),
    "a layer that runs another library": (lambda: layers.TFSMLayer, AttributeError, "it runs another library: make"),
    "a helper misspelt": (lambda: utils.to_categoricl, AttributeError, "did you mean 'to_categorical'?"),
    "a function misspelt": (lambda: tf.zeross, AttributeError, "did you mean 'zeros'?"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_what_to_do(name):
    mistake, message = MISTAKES[name]
    with pytest.raises(ValueError, match=re.escape(message)):
        mistake()


def test_swapped_inputs_are_told_without_a_hint_at_the_batch():
    with pytest.raises(ValueError, match=r"input 'past' of .* expected shape \(None, 5, 3\), got \(8, 3\)$"):
        past_and_month().predict([X[:, 0], X], verbose=0)


OF_ANOTHER_KIND = {
    *("an axis as text", "axes of a batch", "an epsilon as text", "a slope as text", "a limit as text", "no shape"),
    *("one axis to permute", "a clip as text", "steps of a decay under a name", "a rate as text", "a recall as text"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_out_of_range_is_refused_where_it_is_given(name):
    mistake, message = OPTIONS[name]
    with pytest.raises(TypeError if name in OF_ANOTHER_KIND else ValueError, match=re.escape(message)):
        mistake()


NAN = float("nan")
S = optimizers.schedules
# By class and option; the class with the other arguments that it wants. Each would fail in a step, or at the end of an
# epoch, with part of the work done, or train by numbers that nobody means.
REFUSED = {
    optimizers.Adam: {"epsilon": ["x", None, -1.0, NAN], "weight_decay": ["x", -5.0], "loss_scale_factor": ["q", 0]},
    optimizers.SGD: {"weight_decay": [True], "loss_scale_factor": [NAN, -2]},
    optimizers.Adamax: {"epsilon": ["x"]},
    optimizers.Nadam: {"epsilon": [None]},
    optimizers.Lamb: {"epsilon": [[1e-7]]},
    optimizers.Adagrad: {"epsilon": ["x"]},
    optimizers.Adadelta: {"epsilon": [None]},
    optimizers.RMSprop: {"epsilon": ["x"]},
    optimizers.Ftrl: {"learning_rate_power": ["x", 0.5], "beta": ["x", -1.0]},
    optimizers.Adafactor: {
        "beta_2_decay": ["x", 0.8],
        "epsilon_1": ["x"],
        "epsilon_2": [None],
        "clip_threshold": [0, -1, "x"],
    },
    partial(S.ExponentialDecay, 0.1, 10): {"decay_rate": ["x", None, -0.5]},
    partial(S.InverseTimeDecay, 0.1, 10): {"decay_rate": ["x"]},
    partial(S.PolynomialDecay, 0.1, 10): {"end_learning_rate": ["x"], "power": ["x", -1]},
    partial(S.CosineDecay, 0.1, 10): {"alpha": ["x"], "warmup_target": ["x"], "warmup_steps": ["5", None, -2]},
    partial(S.CosineDecayRestarts, 0.1, 10): {"m_mul": ["x"], "alpha": [None], "t_mul": ["x"]},
    callbacks.EarlyStopping: {
        "monitor": [3, None],
        "min_delta": ["a", None, NAN],
        "patience": ["3", None, -1],
        "baseline": ["x"],
        "start_from_epoch": ["x", None],
    },
    callbacks.ReduceLROnPlateau: {
        "factor": ["x", None, -1],
        "patience": ["1"],
        "cooldown": ["x", None, -1],
        "min_lr": ["x", None, -1],
    },
    partial(callbacks.ModelCheckpoint, "a.keras"): {"initial_value_threshold": ["x"]},
    partial(callbacks.CSVLogger, "a.csv"): {"separator": [3, "", ";;"]},
    callbacks.LambdaCallback: {"on_epoch_end": [3], "on_test_end": ["x"]},
    recurra.constraints.MaxNorm: {"max_value": ["x", -1], "axis": ["x", 1.5]},
    recurra.constraints.MinMaxNorm: {"min_value": ["x", -1], "rate": ["x", 2], "axis": [(0, "x")]},
    recurra.constraints.UnitNorm: {"axis": ["x"]},
    recurra.initializers.RandomNormal: {"mean": ["x", None, NAN], "stddev": ["x", None, -1]},
    recurra.initializers.TruncatedNormal: {"mean": ["x"], "stddev": ["x", -1]},
    recurra.initializers.RandomUniform: {"minval": ["x"], "maxval": ["x"]},
    recurra.initializers.VarianceScaling: {"scale": ["x", None, 0]},
    recurra.initializers.Orthogonal: {"gain": ["x", None]},
    recurra.initializers.Identity: {"gain": ["x"]},
}
ACCEPTED = {  # as in Keras: numbers of NumPy, whole ones for others, and what has a meaning though it looks odd
    optimizers.Adam: {
        "epsilon": [0, np.float32(1e-3), np.array(1e-3), recurra.Variable(1e-3)],
        "weight_decay": [None, 0, np.float64(0.01)],
        "loss_scale_factor": [None, 2, np.float32(2)],
        "clipnorm": [np.array(1.0)],
    },
    partial(S.PolynomialDecay, np.float32(0.1), np.int64(10)): {"power": [0], "end_learning_rate": [np.array(0.1)]},
    partial(S.CosineDecay, 0.1, 10): {"alpha": [-1, 2], "warmup_steps": [2.5]},
    callbacks.EarlyStopping: {
        "min_delta": [-1, np.float32(1)],
        "patience": [0, 1.5, np.int64(3), float("inf")],
        "baseline": [None, float("inf")],
        "start_from_epoch": [-1, np.int64(2)],
    },
    callbacks.ReduceLROnPlateau: {"factor": [0, np.float32(0.5)], "patience": [0], "min_lr": [np.float64(0.1)]},
    recurra.constraints.MaxNorm: {"max_value": [None, np.float32(1), float("inf")], "axis": [None, [0, 1], (0, 1)]},
    recurra.initializers.RandomNormal: {"mean": [np.array(1.0), -1], "stddev": [0, np.float32(1)]},
    recurra.initializers.Constant: {"value": [1, True, [1, 2], np.float32(3)]},
    recurra.initializers.Orthogonal: {"gain": [-1, np.float64(2)]},
}


def options_of(table):
    for made in table:
        name = getattr(made, "func", made).__name__
        for option, values in table[made].items():
            for value in values:
                yield pytest.param(made, name, option, value, id=f"{name}-{option}-{value!r}")


@pytest.mark.parametrize(("make", "name", "option", "value"), list(options_of(REFUSED)))
def test_an_option_that_is_a_mistake_is_refused_by_its_name(make, name, option, value):
    with pytest.raises((TypeError, ValueError), match=f"^{name} expected {option} to be .*, got .*"):
        make(**{option: value})


@pytest.mark.parametrize(("make", "name", "option", "value"), list(options_of(ACCEPTED)))
def test_an_option_that_has_a_meaning_is_taken(make, name, option, value):
    wanted = abs(value) if option == "min_delta" else value  # its sign is that of the mode, as in Keras
    np.testing.assert_array_equal(getattr(make(**{option: value}), option), wanted)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: S.PiecewiseConstantDecay(["a"], [1.0, 2.0]), "each of the boundaries to be a number, got 'a'"),
        (lambda: S.PiecewiseConstantDecay([1], ["a", 2.0]), "each of the values to be a number, got 'a'"),
        (lambda: S.PiecewiseConstantDecay([5, 2], [1.0, 2.0, 3.0]), r"expected ascending boundaries, got \[5, 2\]"),
        (lambda: recurra.constraints.MinMaxNorm(2, 1), "max_value to be at least min_value=2, got 1"),
        (lambda: recurra.initializers.RandomUniform(1, -1), "maxval to be at least minval=1, got -1"),
        (lambda: recurra.initializers.Constant("x"), "Constant expected numbers, got an array of dtype <U1"),
        (lambda: recurra.initializers.Constant(None), "Constant expected numbers, got None"),
    ],
)
def test_options_that_do_not_fit_each_other_are_refused(mistake, message):
    with pytest.raises((TypeError, ValueError), match=message):
        mistake()


def test_numbers_of_numpy_train_as_pythons_do():
    trained = []
    for number in (float, np.float64, np.array):  # beside float32 weights a float64 of NumPy's makes float64 of them
        utils.set_random_seed(0)
        options = {"epsilon": number(1e-3), "weight_decay": number(0.01), "loss_scale_factor": number(2.0)}
        made = model()
        made.compile(optimizers.RMSprop(0.1, **options), "mse")
        made.fit(X, Y, epochs=2, verbose=0)
        trained.append(b"".join(w.tobytes() for w in made.get_weights()))
    assert trained[0] == trained[1] == trained[2]


ONE_INPUT = [
    *(layers.Dense(2), layers.Embedding(9, 2), layers.Conv1D(2, 2), layers.GRU(2), layers.RNN(layers.LSTMCell(2))),
    *(layers.Bidirectional(layers.LSTM(2)), layers.TimeDistributed(layers.Dense(2)), layers.Masking()),
    *(layers.LayerNormalization(), layers.BatchNormalization(), layers.Dropout(0.5), layers.Activation("tanh")),
    *(layers.Flatten(), layers.Reshape((15,)), layers.Permute((2, 1)), layers.RepeatVector(2), layers.Softmax()),
    *(layers.GlobalAveragePooling1D(), layers.MaxPooling1D(2), layers.Cropping1D(1), layers.Rescaling(2.0)),
]


@pytest.mark.parametrize("layer", ONE_INPUT, ids=lambda layer: type(layer).__name__)
def test_a_layer_of_one_input_refuses_two(layer):
    for given in ([recurra.Input((5, 3)), recurra.Input((5, 3))], [X, X]):
        with pytest.raises(ValueError, match=rf"layer '{layer.name}' expected one input, got 2 in a list, of shapes"):
            layer(given)


@pytest.mark.parametrize("name", OTHER_ERRORS)
def test_other_kinds_of_mistakes_are_told_with_what_to_do(name):
    mistake, kind, message = OTHER_ERRORS[name]
    with pytest.raises(kind, match=re.escape(message)):
        mistake()


MISSPELT = {  # the call, what it is called, what was given, what was meant
    "fit": (lambda: fit(epoch=3), "fit", "epoch", "epochs"),
    "evaluate": (lambda: model().evaluate(X, Y, batchsize=3), "evaluate", "batchsize", "batch_size"),
    "compile": (lambda: model(metric=["mae"]), "compile", "metric", "metrics"),
    "compile as in Britain": (lambda: untrainable().compile(optimiser="sgd"), "compile", "optimiser", "optimizer"),
    "a callback": (
        lambda: callbacks.EarlyStopping(restore_best_weight=True),
        "EarlyStopping",
        "restore_best_weight",
        "restore_best_weights",
    ),
    "a loss": (
        lambda: losses.BinaryCrossentropy(from_logit=True),
        "BinaryCrossentropy",
        "from_logit",
        "from_logits",
    ),
    "a metric": (lambda: metrics.AUC(num_threshold=9), "AUC", "num_threshold", "num_thresholds' or 'thresholds"),
    "an initializer": (lambda: recurra.initializers.HeNormal(sed=1), "HeNormal", "sed", "seed"),
    "a helper": (lambda: utils.pad_sequences([[1]], max_len=3), "pad_sequences", "max_len", "maxlen"),
    "labels": (lambda: utils.to_categorical([1], num_class=3), "to_categorical", "num_class", "num_classes"),
    "forecast": (lambda: recurra.forecast("a.csv", horizn=3), "forecast", "horizn", "horizon"),
    "the command line's target": (
        lambda: recurra.forecast("a.csv", target="y"),
        "forecast",
        "target",
        "target_col",
    ),
    "the command line's season": (
        lambda: recurra.forecast("a.csv", season=7),
        "forecast",
        "season",
        "season_length",
    ),
    "the command line's budget": (lambda: recurra.forecast("a.csv", budget=9), "forecast", "budget", "budget_s"),
    "a forecaster": (lambda: recurra.Forecaster(lookbak=9), "Forecaster", "lookbak", "lookback"),
}


@pytest.mark.parametrize("name", MISSPELT)
def test_a_misspelt_keyword_is_told_with_the_one_that_was_meant(name):
    mistake, who, given, meant = MISSPELT[name]
    with pytest.raises(TypeError) as error:
        mistake()
    assert str(error.value) == f"{who} expected known arguments, got {given!r}: did you mean '{meant}'?"


def test_classes_of_the_caller_s_take_what_they_take():
    class Threshold(metrics.Metric):
        def __init__(self, **options):
            self.threshold = options.pop("threshold", 0.5)
            super().__init__(**options)

    class Plain(callbacks.Callback):
        pass

    assert Threshold(threshold=0.1, name="t").threshold == 0.1
    with pytest.raises(TypeError, match="takes no arguments"):
        type("Nothing", (recurra.regularizers.Regularizer,), {})(0.1)
    with pytest.raises(TypeError, match="Plain expected known arguments, got 'x'"):
        Plain(x=1)
    assert metrics.MeanMetricWrapper(losses.huber, delta=2.0)([[1.0]], [[4.0]]) == 4.0


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_column_of_a_frame_that_holds_no_numbers_is_named(library):
    frames = pytest.importorskip(library)
    made = recurra.Sequential([recurra.Input((2,), name="past"), layers.Dense(1)])
    made.compile("sgd", "mse")
    times = np.array(["2024-01-01", "2024-01-02"], "datetime64[ns]")
    dates = frames.DataFrame({"date": times, "a": [1.0, 2.0]})
    texts = frames.DataFrame({"a": [1.0, 2.0], "city": ["Seoul", "Busan"]})
    told = {"text in column 'city': turn text into numbers first": texts}
    if library == "pandas":  # Polars makes numbers of dates
        told["dates in column 'date': leave the column out, or make numbers of it"] = dates
    for got, frame in told.items():
        for call in (partial(made.predict, frame, verbose=0), partial(made.fit, frame, Y[:2], verbose=0)):
            with pytest.raises(ValueError, match=f"input 'past' expected numbers, got {got}"):
                call()


def test_what_looks_like_a_model_and_learns_nothing_is_warned_of():
    with pytest.warns(UserWarning, match=r"got 1: its output is always 1\. Use a sigmoid"):
        layers.Dense(1, activation="softmax")
    with pytest.warns(SyntaxWarning, match=r"than one class, got \(8, 1\): .* use binary_crossentropy"):
        classify("categorical_crossentropy", LABELS[:, None], units=1)


def test_lists_of_numbers_of_any_kind_are_data():
    series = np.arange(12, dtype="float32")
    x, y = [series[i : i + 4, None] for i in range(8)], [series[i + 4] for i in range(8)]
    made = recurra.Sequential([layers.LSTM(4), layers.Dense(1)])
    made.compile("adam", "mse")
    lists = [row.tolist() for row in x]
    assert made.predict(lists, verbose=0).shape == (8, 1)  # it is built from them
    first = made.get_weights()
    losses_of = []
    for given in ((np.array(x), np.array(y)), (x, y), (lists, [int(value) for value in y])):
        made.set_weights(first)
        losses_of.append(made.evaluate(*given, verbose=0))
    assert losses_of[0] == losses_of[1] == losses_of[2]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: recurra.activations.relu(None), ValueError, "activations.relu expected numbers, got None"),
        (lambda: recurra.activations.relu("a"), ValueError, "activations.relu expected numbers, got an array of dtype"),
        (lambda: losses.mean_squared_error("a", "b"), ValueError, "y_true of mean_squared_error expected numbers"),
        (lambda: losses.poisson([1.0], ["b"]), ValueError, "y_pred of poisson expected numbers, got an array of dtype"),
        (lambda: losses.Huber()([[1.0]], [["b"]]), ValueError, "y_pred of a loss expected numbers"),
        (lambda: metrics.binary_accuracy([1.0], ["b"]), ValueError, "y_pred of binary_accuracy expected numbers"),
        (lambda: metrics.Mean().update_state("a"), ValueError, "the values of Mean expected numbers, got an array"),
        (lambda: metrics.Sum()(["a"]), ValueError, "the values of Sum expected numbers, got an array of dtype"),
        (lambda: recurra.config.set_epsilon("a"), TypeError, "set_epsilon expected value to be a number, not negative"),
        (lambda: recurra.config.set_epsilon(-1.0), ValueError, r"set_epsilon expected .* not negative, got -1\.0"),
    ],
)
def test_text_where_numbers_are_due_is_told(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (callbacks.ModelCheckpoint, "filepath"),
        (callbacks.BackupAndRestore, "backup_dir"),
        (callbacks.CSVLogger, "filename"),
    ],
)
def test_what_is_no_path_is_told_with_the_name_of_the_option(make, name):
    with pytest.raises(TypeError, match=f"{make.__name__} expected {name} to be a path, got 3"):
        make(3)
