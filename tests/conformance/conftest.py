"""Keras's automatic names start anew in each case."""

import pytest

from recurra._names import clear_session


@pytest.fixture(autouse=True)
def fresh_names():
    clear_session()
