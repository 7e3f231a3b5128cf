"""Which models are saved, when, and under which names."""

import re

import numpy as np
import pytest
from played import Dummy, make_model, read, run

from recurra import callbacks, models
from recurra.callbacks import CallbackList


def test_a_checkpoint_is_saved_under_a_name_of_its_epoch(tmp_path):
    model, _ = run(callbacks.ModelCheckpoint(tmp_path / "{epoch:02d}-{val_loss:.1f}.keras"), [0.5, 0.75])
    assert model.saved == [str(tmp_path / "01-0.5.keras"), str(tmp_path / "02-0.8.keras")]


def test_only_the_best_is_saved(tmp_path, capsys):
    path = str(tmp_path / "new" / "{epoch}.weights.h5")
    checkpoint = callbacks.ModelCheckpoint(path, save_best_only=True, save_weights_only=True, verbose=1)
    model, _ = run(checkpoint, [0.5, 0.75, 0.25])
    assert model.saved == [path.format(epoch=1), path.format(epoch=3)]
    assert "Epoch 2: val_loss did not improve from 0.50000" in capsys.readouterr().out
    model, _ = run(callbacks.ModelCheckpoint("x.keras", save_best_only=True, initial_value_threshold=0.1), [0.5])
    assert model.saved == []
    with pytest.warns(UserWarning, match="Can save best model only with beauty available"):
        model, _ = run(callbacks.ModelCheckpoint("x.keras", monitor="beauty", save_best_only=True), [0.5])
    assert model.saved == ["x.keras"]


def test_checkpoints_count_batches_through_the_epochs():
    model = Dummy()
    listed = CallbackList([callbacks.ModelCheckpoint("{epoch}-{batch}.keras", save_freq=3)], model=model)
    for epoch in range(2):
        listed.on_epoch_begin(epoch)
        for batch in range(5):
            listed.on_train_batch_end(batch, {"loss": 1.0})
        listed.on_epoch_end(epoch, {"loss": 1.0})
    assert model.saved == ["1-3.keras", "2-1.keras", "2-4.keras"]


def test_checkpoints_refuse_other_endings_and_names():
    for ending in (".keras", ".h5", ".hdf5"):  # those of model.save
        model, _ = run(callbacks.ModelCheckpoint(f"best{ending}"), [0.5])
        assert model.saved == [f"best{ending}"]
    with pytest.raises(ValueError, match=r"end in .weights.h5, got 'best.hdf5': write 'best.weights.h5'"):
        callbacks.ModelCheckpoint("best.hdf5", save_weights_only=True)
    hint = "got 'best.weights.h5': save_weights_only=True saves weights; or write 'best.keras'"
    with pytest.raises(ValueError, match=f"ModelCheckpoint expected filepath to end in .keras, {hint}"):
        callbacks.ModelCheckpoint("best.weights.h5")  # which model.save refuses, at the end of an epoch
    with pytest.raises(ValueError, match=r"ModelCheckpoint expected filepath to end in .keras, got 'weights.bin'"):
        callbacks.ModelCheckpoint("weights.bin")
    with pytest.raises(ValueError, match=r"end in .weights.h5"):
        callbacks.ModelCheckpoint("weights.keras", save_weights_only=True)
    with pytest.raises(ValueError, match="Unrecognized save_freq"):
        callbacks.ModelCheckpoint("a.keras", save_freq="batch")
    for template in ("a{}.keras", "a{0}.keras", "a{.keras", "a{epoch:zz}.keras", "a{epoch[0]}.keras"):
        message = f"filepath to hold names, such as {{epoch:02d}} or {{val_loss:.2f}}, got {template!r}: "
        with pytest.raises(ValueError, match=re.escape(message)):
            callbacks.ModelCheckpoint(template)
    callbacks.ModelCheckpoint("{{a}}-{epoch:02d}-{batch}-{val_loss:.2f}-{f1[0]:.2f}-{loss.real!r}.keras")
    with pytest.raises(KeyError, match="names among epoch, val_loss"):
        run(callbacks.ModelCheckpoint("{beauty}.keras"), [1.0])


def test_a_checkpoint_that_tells_says_where_before_and_after(data, tmp_path, capsys):
    path = tmp_path / "{epoch}.weights.h5"
    checkpoint = callbacks.ModelCheckpoint(path, verbose=1, save_weights_only=True)
    make_model().fit(*data, epochs=1, verbose=0, callbacks=[checkpoint])
    name = str(path).format(epoch=1)
    assert capsys.readouterr().out == f"\nEpoch 1: saving model to {name}\n\nEpoch 1: finished saving model to {name}\n"


def test_early_stopping_and_checkpoints_on_a_real_run(data, tmp_path):
    model, path = make_model(), tmp_path / "best.keras"
    chosen = [
        callbacks.EarlyStopping(patience=2, restore_best_weights=True),
        callbacks.ModelCheckpoint(path, save_best_only=True),
        callbacks.CSVLogger(tmp_path / "log.csv"),
    ]
    history = model.fit(*data, epochs=8, verbose=0, validation_data=data, callbacks=chosen)
    loaded = models.load_model(path)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(read(tmp_path / "log.csv")) == len(history.epoch) + 1
