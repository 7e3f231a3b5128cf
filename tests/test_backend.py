"""Names of Keras's top level and of keras.backend."""

import pytest

import recurra
from recurra.compat.tensorflow import keras


@pytest.mark.parametrize("library", [recurra, keras])
def test_the_names_that_notebooks_use_are_there(library):
    assert library.version() == recurra.__version__
    assert isinstance(library.Input((3,)), library.KerasTensor)
    assert issubclass(library.losses.Huber, library.Loss) and issubclass(library.metrics.AUC, library.Metric)
    assert issubclass(library.optimizers.Adam, library.Optimizer) and issubclass(library.layers.LSTM, library.Layer)
    assert issubclass(library.initializers.Zeros, library.Initializer)
    assert issubclass(library.regularizers.L2, library.Regularizer)
    library.backend.clear_session()
    assert (library.backend.floatx(), library.backend.epsilon()) == ("float32", 1e-7)


def test_backend_knows_dtypes_and_symbolic_tensors():
    backend = recurra.backend
    assert backend.is_float_dtype("float64") and not backend.is_float_dtype("int32")
    assert backend.is_int_dtype("uint8") and not backend.is_int_dtype("bool")
    assert backend.is_keras_tensor(recurra.Input((3,))) and not backend.is_keras_tensor(3)
    assert (backend.backend(), backend.image_data_format()) == ("recurra", "channels_last")
