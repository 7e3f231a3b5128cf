"""keras.utils, by hand."""

import re
import tracemalloc

import numpy as np
import pytest

from recurra import utils


def test_labels_become_rows():
    np.testing.assert_array_equal(utils.to_categorical([[1], [0]], 3), [[0, 1, 0], [1, 0, 0]])
    with pytest.raises(IndexError, match="labels from 0 to 1, got 3"):
        utils.to_categorical([0, 3], 2)
    np.testing.assert_array_equal(utils.to_categorical(["1", "0"]), [[0, 1], [1, 0]])  # as in Keras
    with pytest.raises(ValueError, match="to_categorical expected numbers, got an array of dtype <U3: turn text into"):
        utils.to_categorical(["cat", "dog"])


def test_labels_of_many_classes_take_no_more_memory_than_their_rows():
    tracemalloc.start()
    try:
        rows = utils.to_categorical([[7], [1999]], 2000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows.sum() == rows[0, 7] + rows[1, 1999] == 2
    assert peak < 2 * rows.nbytes  # a matrix of all classes has a thousand times as many


@pytest.mark.parametrize("count, error", [(2.0, ValueError), ("2", TypeError), (0, ValueError)])
def test_a_number_of_classes_is_a_positive_integer(count, error):
    with pytest.raises(error, match=f"num_classes to be a positive integer, got {count!r}"):
        utils.to_categorical([0, 1], count)


def test_sequences_are_padded_and_cut_at_either_end():
    rows = [[1, 2, 3], [4]]
    np.testing.assert_array_equal(utils.pad_sequences(rows, 2), [[2, 3], [0, 4]])
    np.testing.assert_array_equal(
        utils.pad_sequences(rows, 2, padding="post", truncating="post", value=9), [[1, 2], [4, 9]]
    )
    assert utils.pad_sequences([[[1, 2]], [[3, 4], [5, 6]]]).shape == (2, 2, 2)
    assert [utils.pad_sequences(rows, 0, truncating=end).shape for end in ("pre", "post")] == [(2, 0), (2, 0)]
    with pytest.raises(ValueError, match="sequences, got 3 at 0"):
        utils.pad_sequences([3])


def test_windows_slide_with_stride_and_rate():
    data = np.arange(12)
    batches = list(
        utils.timeseries_dataset_from_array(data, data[3:], 3, sampling_rate=2, sequence_stride=2, batch_size=2)
    )
    np.testing.assert_array_equal(batches[0][0], [[0, 2, 4], [2, 4, 6]])
    np.testing.assert_array_equal(batches[0][1], [3, 5])
    assert sum(len(x) for x, _ in batches) == 4
    shuffled = list(utils.timeseries_dataset_from_array(data, None, 3, shuffle=True, seed=1))
    assert sorted(shuffled[0][:, 0]) == list(range(10))


def test_bad_windows_are_refused():
    with pytest.raises(ValueError, match="sequence_stride to be a positive integer, got 0"):
        utils.timeseries_dataset_from_array(np.zeros(5), np.zeros(5), 3, sequence_stride=0)
    with pytest.raises(ValueError, match="at least as long as a window"):
        utils.timeseries_dataset_from_array(np.zeros(2), None, 3)


def test_rows_are_normalised():
    np.testing.assert_allclose(utils.normalize([[3.0, 4.0], [0.0, 0.0]]), [[0.6, 0.8], [0, 0]])
    for axis in (-1, 0):
        assert utils.normalize(np.array([3, 4]), axis).tolist() == [[0.6, 0.8]]  # a row of its own, as Keras has it
    assert utils.normalize([3.0, 4.0]).tolist() == [0.6, 0.8]


def test_batches_are_packed_as_fit_takes_them():
    for parts in (("x",), ("x", "y"), ("x", "y", "w")):
        packed = utils.pack_x_y_sample_weight(*parts)
        assert packed == (parts if len(parts) > 1 else "x")
        assert utils.unpack_x_y_sample_weight(packed) == (*parts, None, None)[:3]
    assert utils.pack_x_y_sample_weight(["a", "b"]) == (["a", "b"],)
    assert utils.unpack_x_y_sample_weight(["x", "y"]) == ("x", "y", None)
    with pytest.raises(ValueError, match=r"or \(x, y, sample_weight\), got one of 4 parts"):
        utils.unpack_x_y_sample_weight((1, 2, 3, 4))


@pytest.mark.parametrize("wrong", [2**40, 2**70, 3_000_000_000, -3e9, float("nan"), float("inf")])
def test_numbers_that_do_not_fit_are_no_numbers_for_a_sequence(wrong):
    for row in ([1, wrong], np.array([1, wrong])):
        with pytest.raises(ValueError, match=r"pad_sequences expected numbers for int32, got \[1.*give another dtype"):
            utils.pad_sequences([[1], row])
    assert utils.pad_sequences([[wrong]], dtype="float64").shape == (1, 1)
    np.testing.assert_array_equal(utils.pad_sequences([[2**31 - 1, -(2**31)], [1.5]]), [[2**31 - 1, -(2**31)], [0, 1]])
    assert utils.pad_sequences([[3_000_000_000]], dtype="int64").tolist() == [[3_000_000_000]]


def test_a_progress_bar_of_one_s_own_shows_what_fit_s_does(capsys, monkeypatch):
    bar = utils.Progbar(3, stateful_metrics=["lr"])
    for step in (1, 2, 3):
        bar.update(step, values=[("loss", 2.0 * step), ("lr", 0.5)])
    assert re.fullmatch(r"3/3 ━{20} 0s \d+\w+/step - loss: 6\.0000 - lr: 0\.5000\n", capsys.readouterr().out)
    monkeypatch.setattr("recurra.callbacks.progress.is_live", lambda: True)
    bar = utils.Progbar(4, width=8, interval=0, unit_name="row")
    bar.add(2, [("loss", 1.0)])
    bar.add(1, [("loss", 4.0)])
    drawn = re.sub(r"\x1b\[\d+m", "", capsys.readouterr().out).split("\r")
    assert re.search(r"2/4 ━{8} .*/row - loss: 1\.0000", drawn[1])
    assert re.search(r"3/4 ━{8} .*/row - loss: 2\.0000", drawn[2])  # the mean over steps
    bar.update(5, finalize=True)
    assert capsys.readouterr().out.endswith("\n")
    bar = utils.Progbar(4, interval=0, stateless_metrics=["loss"])
    bar.add(1, [("loss", 1.0), ("lr", 1.0)])
    bar.add(1, [("loss", 2.0), ("lr", 2.0)])
    assert "loss: 1.5000 - lr: 2.0000" in capsys.readouterr().out
    with pytest.raises(ValueError, match="Progbar expected stateful_metrics or stateless_metrics, got both"):
        utils.Progbar(4, stateful_metrics=["lr"], stateless_metrics=["loss"])
    silent = utils.Progbar(None, verbose=0)
    silent.add(5, [("loss", 1.0)])
    assert capsys.readouterr().out == ""
