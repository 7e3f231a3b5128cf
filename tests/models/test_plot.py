"""The picture of a model."""

import shutil

import pytest

import recurra
from recurra import layers
from recurra.utils import model_to_dot, plot_model


@pytest.fixture
def model():
    recurra.utils.clear_session()
    past, month = recurra.Input((5, 1), name="past"), recurra.Input((12,), name="month")
    joined = layers.Concatenate(name="join")([layers.GRU(3, name="memory")(past), month])
    return recurra.Model([past, month], layers.Dense(1, name="out")(joined))


def test_dot_names_layers_shapes_and_edges(model):
    lines = [line.strip() for line in model_to_dot(model, show_shapes=True).splitlines()]
    numbers = {line.split('"')[1].split(" ")[0]: line.split(" ")[0] for line in lines if "label" in line}
    assert any('memory (GRU)\\n(None, 3)"' in line for line in lines)
    for first, second in [("past", "memory"), ("memory", "join"), ("month", "join"), ("join", "out")]:
        assert f"{numbers[first]} -> {numbers[second]};" in lines
    assert sum("->" in line for line in lines) == 4


def test_boxes_tell_what_is_asked_for(model):
    told = model_to_dot(
        model, show_dtype=True, show_layer_activations=True, show_trainable=True, dpi=90, splines="curved"
    )
    assert 'label="memory (GRU)\\nactivation: tanh\\nfloat32\\ntrained"' in told
    assert 'dpi=90; splines="curved";' in told
    with pytest.raises(ValueError, match="expand_nested=False"):
        model_to_dot(model, expand_nested=True)


def test_a_dot_file_needs_no_graphviz(model, tmp_path):
    plot_model(model, tmp_path / "m.dot")
    assert (tmp_path / "m.dot").read_text() == model_to_dot(model, show_layer_names=False)
    plot_model(model, tmp_path / "m.dot", True, False, True, "LR")
    assert (tmp_path / "m.dot").read_text() == model_to_dot(model, show_shapes=True, rankdir="LR")


def test_a_picture_needs_graphviz(model, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match="install Graphviz"):
        plot_model(model, tmp_path / "m.png")
    assert not list(tmp_path.iterdir())
