"""Names that objects get by themselves."""

import re


def snake_case(class_name: str) -> str:
    """Returns "simple_rnn_cell" for "SimpleRNNCell", by Keras's rule."""
    spaced = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()
