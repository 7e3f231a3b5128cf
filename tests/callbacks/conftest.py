"""What the real model is trained on."""

import pytest


@pytest.fixture
def data(rng):
    return rng.normal(size=(10, 4, 2)).astype("float32"), rng.normal(size=(10, 1)).astype("float32")
