"""The history of a run."""

from played import run

from recurra import callbacks


def test_the_history_keeps_the_logs_of_each_epoch():
    history = callbacks.History()
    run(history, [0.5, 0.25], "loss")
    assert (history.history, history.epoch) == ({"loss": [0.5, 0.25]}, [0, 1])
    run(history, [0.125], "loss")
    assert (history.history, history.epoch) == ({"loss": [0.5, 0.25, 0.125]}, [0])
