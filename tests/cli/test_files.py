"""`recurra show` and `recurra convert`."""

import json

import numpy as np
import pytest

import recurra
from recurra import layers
from recurra.cli.main import main
from recurra.interop import save_safetensors


@pytest.fixture
def model():
    recurra.utils.clear_session()
    model = recurra.Sequential([recurra.Input((None, 3)), layers.LSTM(4, name="memory"), layers.Dense(1)])
    model.compile("adam", "mse")
    return model


@pytest.fixture
def path(model, tmp_path):
    model.save(tmp_path / "m.keras")
    return tmp_path / "m.keras"


MODEL = ["(None, None, 3)", "memory (LSTM)", "Total params"]


@pytest.mark.filterwarnings("ignore:m.h5 is in a legacy format")
@pytest.mark.parametrize(
    ("name", "save", "words"),
    [
        ("m.keras", recurra.Model.save, ["Keras model", "compiled with", "Adam", "mse", *MODEL]),
        ("m.h5", recurra.Model.save, ["Keras model, HDF5", "written for", *MODEL]),
        (
            "m.weights.h5",
            recurra.Model.save_weights,
            ["Keras weights", "layers/lstm/cell/vars/1", "(4, 16)", "float32"],
        ),
        ("m.safetensors", save_safetensors, ["memory/lstm_cell/recurrent_kernel", "(4, 16)", "float32"]),
    ],
)
def test_show_tells_what_a_file_holds(name, save, words, model, tmp_path, capsys):
    if name.endswith(".safetensors"):
        pytest.importorskip("safetensors", reason="the interop extra is not installed")
    save(model, tmp_path / name)
    assert main(["show", str(tmp_path / name)]) == 0
    out = capsys.readouterr().out
    assert not [word for word in words if word not in out]


@pytest.mark.parametrize("ending", [".weights.h5", ".safetensors", ".onnx"])
def test_show_reads_what_convert_writes(ending, path, tmp_path, capsys):
    pytest.importorskip("onnx", reason="the interop extra is not installed")
    target = tmp_path / f"m{ending}"
    assert main(["convert", str(path), str(target)]) == 0
    assert f"wrote {target}" in capsys.readouterr().err
    assert main(["show", str(target), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["bytes"] == target.stat().st_size
    if ending == ".onnx":
        assert document["inputs"] == "input_layer (batch, input_layer_timesteps, 3)"
        assert "1 LSTM" in document["nodes"]
    else:
        assert document["weights"] == recurra.models.load_model(path).count_params()


@pytest.mark.parametrize("names", ["keras", "torch"])
def test_weights_go_back_into_a_model(names, model, path, tmp_path):
    pytest.importorskip("safetensors", reason="the interop extra is not installed")
    weights, again = tmp_path / "m.safetensors", tmp_path / "again.keras"
    assert main(["convert", str(path), str(weights), "--names", names]) == 0
    assert main(["convert", str(weights), str(again), "--into", str(path)]) == 0
    x = np.ones((2, 5, 3), "float32")
    np.testing.assert_allclose(recurra.models.load_model(again)(x), model(x), rtol=1e-6)


def test_weights_of_keras_2_go_into_a_model(model, path, tmp_path, capsys):
    h5py, weights, again = pytest.importorskip("h5py"), tmp_path / "w.h5", tmp_path / "again.keras"
    with h5py.File(weights, "w") as file:
        file.attrs["layer_names"] = [layer.name for layer in model.layers]
        for layer in model.layers:
            file.create_group(layer.name).attrs["weight_names"] = [variable.path for variable in layer.weights]
            for variable in layer.weights:
                file[layer.name][variable.path] = variable.value + 1
    assert main(["convert", str(weights), str(again)]) == 1
    assert "or recurra convert with --into" in capsys.readouterr().err
    assert main(["convert", str(weights), str(again), "--into", str(path)]) == 0
    for one, other in zip(recurra.models.load_model(again).get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other + 1)


@pytest.fixture
def forecaster(tmp_path):
    data = recurra.forecasting.Panel.from_arrays([np.sin(np.arange(60.0))])
    fitted = recurra.Forecaster("gru", horizon=2, n_seeds=1, budget_s=1e-9).fit(data)
    fitted.save(tmp_path / "f.keras")
    return fitted


@pytest.mark.parametrize("name", ["f.keras", "./f.keras", "link.keras"])
def test_a_file_is_not_converted_into_itself(name, forecaster, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.keras").symlink_to(tmp_path / "f.keras")
    before = (tmp_path / "f.keras").read_bytes()
    assert main(["convert", "f.keras", name]) == 1
    assert "recurra convert expected another file than the one to convert, got" in capsys.readouterr().err
    assert (tmp_path / "f.keras").read_bytes() == before


def test_a_forecaster_stays_one(forecaster, tmp_path):
    source, weights, again = (str(tmp_path / name) for name in ("f.keras", "f.weights.h5", "again.keras"))
    assert main(["convert", source, weights]) == 0
    for arguments in ([source, again], [weights, again, "--into", source]):
        assert main(["convert", *arguments]) == 0
        assert recurra.Forecaster.load(again).predict().equals(forecaster.predict())


def test_a_loss_of_ones_own_is_needed_where_the_compile_part_is_written(model, path, tmp_path, capsys):
    pytest.importorskip("onnx", reason="the interop extra is not installed")

    def my_loss(y_true, y_pred):
        return ((y_true - y_pred) ** 2).mean(-1)

    model.compile("adam", my_loss)
    model.save(path)
    for ending in (".onnx", ".safetensors"):
        assert main(["convert", str(path), str(tmp_path / f"n{ending}")]) == 0
    weights, again = tmp_path / "n.safetensors", tmp_path / "again.onnx"
    assert main(["convert", str(weights), str(again), "--into", str(path)]) == 0
    capsys.readouterr()
    for ending in (".keras", ".weights.h5"):
        assert main(["convert", str(path), str(tmp_path / f"n{ending}")]) == 1
        assert "got 'my_loss'" in (err := capsys.readouterr().err)
        assert err.endswith(": load_model(path, compile=False) leaves it out\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "absent.keras"], "an existing file"),
        (["show", "notes.txt"], "a .keras, .h5, .weights.h5, .onnx or .safetensors file"),
        (["convert", "m.keras", "m.tflite"], "a file that ends in .keras"),
        (["convert", "w.weights.h5", "m.onnx"], "--into MODEL.keras"),
        (["convert", "absent.hdf5", "m.onnx"], "an existing file"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("command", "words"), [("show", "[OPTIONS] file"), ("convert", "[OPTIONS] from to")])
def test_help_names_the_files_in_single_braces(command, words, capsys):
    main([command, "--help"])
    printed = capsys.readouterr().out
    assert "{{" not in printed
    assert words in printed.replace("{", "").replace("}", "")  # older typer has none
