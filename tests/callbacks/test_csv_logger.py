"""Logs in CSV files."""

import math

import numpy as np
from played import read, run

from recurra import callbacks


def test_a_csv_logger_writes_a_row_per_epoch_and_goes_on_where_asked(tmp_path):
    path = tmp_path / "log.tsv"
    run(callbacks.CSVLogger(path, separator="\t"), [0.5, 0.25], "loss")
    assert read(path, "\t") == [["epoch", "loss"], ["0", "0.5"], ["1", "0.25"]]
    run(callbacks.CSVLogger(path, separator="\t", append=True), [0.125], "loss")
    assert read(path, "\t")[-2:] == [["1", "0.25"], ["0", "0.125"]]
    run(callbacks.CSVLogger(path, separator="\t"), [math.nan], "loss")
    assert read(path, "\t") == [["epoch", "loss"], ["0", "nan"]]


def test_a_csv_logger_adds_columns_that_come_late(tmp_path):
    logger = callbacks.CSVLogger(tmp_path / "log.csv")
    logger.on_train_begin()
    logger.on_epoch_end(0, {"mae": 2.0, "loss": 1.0})
    logger.on_epoch_end(1, {"loss": 0.5, "mae": 1.0, "val_loss": np.array([1, 2])})
    logger.on_epoch_end(2, {"loss": 0.25, "mae": 0.5})
    assert read(tmp_path / "log.csv") == [
        ["epoch", "loss", "mae", "val_loss"],
        ["0", "1.0", "2.0", "NA"],
        ["1", "0.5", "1.0", '"[1, 2]"'],
        ["2", "0.25", "0.5", "NA"],
    ]


def test_a_csv_logger_goes_on_with_a_file_whose_last_line_has_no_end(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss\n0,0.5")  # as an editor may have left it
    run(callbacks.CSVLogger(path, append=True), [0.25], "loss")
    assert read(path) == [["epoch", "loss"], ["0", "0.5"], ["0", "0.25"]]
