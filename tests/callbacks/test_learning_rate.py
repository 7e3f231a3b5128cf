"""Learning rates that follow a schedule, or fall on a plateau."""

import pytest
from played import Dummy, run

from recurra import callbacks
from recurra.optimizers import schedules


def test_a_scheduler_sets_the_learning_rate_and_logs_it(capsys):
    history, model = callbacks.History(), Dummy(0.5)
    run([callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2, verbose=1), history], [1.0, 1.0], model=model)
    assert history.history["learning_rate"] == [0.25, 0.125]
    assert "Epoch 2: LearningRateScheduler setting learning rate to 0.125." in capsys.readouterr().out


def test_a_scheduler_may_take_the_epoch_alone():
    model, _ = run(callbacks.LearningRateScheduler(lambda epoch: 1 / (2.0 + epoch)), [1.0])
    assert float(model.optimizer.learning_rate) == 0.5
    model, _ = run(callbacks.LearningRateScheduler(schedules.InverseTimeDecay(0.25, 1, 1.0)), [1.0, 1.0])
    assert float(model.optimizer.learning_rate) == 0.125


def test_a_scheduler_refuses_what_is_no_number_and_optimizers_with_schedules():
    with pytest.raises(ValueError, match="the schedule to return a number, got 'fast'"):
        run(callbacks.LearningRateScheduler(lambda epoch: "fast"), [1.0])
    model = Dummy(schedules.PolynomialDecay(0.1, 10))
    with pytest.raises(TypeError, match="This optimizer was created with a `LearningRateSchedule`"):
        run(callbacks.LearningRateScheduler(lambda epoch, rate: rate), [1.0], model=model)


def test_reduce_lr_on_plateau_follows_keras():
    values = [8.131, 7.491, 7.092, 7.188, 2.171, 1.976, 1.951, 1.251]
    history, callback = callbacks.History(), callbacks.ReduceLROnPlateau(factor=0.5, patience=1, min_delta=0.05)
    run([callback, history], values)
    assert history.history["learning_rate"] == [0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]


def test_reduce_lr_on_plateau_cools_down_and_keeps_a_minimum(capsys):
    callback = callbacks.ReduceLROnPlateau(factor=0.5, patience=1, cooldown=2, verbose=1)
    assert float(run(callback, [1.0] * 5)[0].optimizer.learning_rate) == 0.125
    assert "\nEpoch 2: ReduceLROnPlateau reducing learning rate to 0.25.\n" in capsys.readouterr().out
    callback = callbacks.ReduceLROnPlateau(factor=0.1, patience=1, min_lr=0.25, verbose=1)
    assert float(run(callback, [1.0] * 5)[0].optimizer.learning_rate) == 0.25
    assert capsys.readouterr().out.count("reducing") == 1  # at its least the rate is not reduced again
    with pytest.raises(ValueError, match=r"does not support a factor >= 1\.0"):
        callbacks.ReduceLROnPlateau(factor=1.0)


def test_reduce_lr_on_plateau_begins_anew_with_each_fit():
    callback = callbacks.ReduceLROnPlateau(factor=0.5, patience=2)
    run(callback, [0.1, 1.0])
    assert float(run(callback, [1.0, 1.0])[0].optimizer.learning_rate) == 0.5
    assert float(run(callback, [1.0, 1.0, 1.0])[0].optimizer.learning_rate) == 0.25


def test_reduce_lr_on_plateau_goes_on_without_what_it_watches():
    history = callbacks.History()
    with pytest.warns(UserWarning, match="val_loss"):
        run([callbacks.ReduceLROnPlateau(patience=1), history], [1.0, 1.0, 1.0], monitor="loss")
    assert history.history["learning_rate"] == [0.5] * 3


def test_a_scheduler_takes_functions_that_tell_nothing_of_their_arguments():
    history = callbacks.History()
    run([callbacks.LearningRateScheduler(min), history], [1.0, 1.0])
    assert history.history["learning_rate"] == [0.0, 0.0]
