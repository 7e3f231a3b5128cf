"""The history of a run."""

from played import make_model, run

from recurra import callbacks


def test_the_history_keeps_the_logs_of_each_epoch():
    history = callbacks.History()
    run(history, [0.5, 0.25], "loss")
    assert (history.history, history.epoch) == ({"loss": [0.5, 0.25]}, [0, 1])
    run(history, [0.125], "loss")
    assert (history.history, history.epoch) == ({"loss": [0.5, 0.25, 0.125]}, [0])


def test_a_model_has_the_history_of_its_last_run(data):
    model = make_model()
    listed = callbacks.CallbackList(add_history=True, model=model)
    first = model.fit(*data, verbose=0)
    second = model.fit(*data, epochs=2, verbose=0, callbacks=listed)
    assert first.epoch == [0] and second.epoch == [0, 1] and model.history is second
