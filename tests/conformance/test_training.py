"""Training follows Keras step by step: losses, weights, optimizer state, histories and predictions."""

import numpy as np
import pytest
from vectors import array_of, assert_close, cases_of, make, make_model

import recurra


def arrays_of(case, prefix):
    names = [name for name in case["arrays"] if name.removeprefix(f"{prefix}_").isdigit()]
    return [array_of(case, f"{prefix}_{position}") for position in range(len(names))]


def one_or_list(arrays):
    return arrays[0] if len(arrays) == 1 else arrays


def compiled_model(case):
    model = make_model(case["model"])
    assert [variable.path for variable in model.weights] == case["weights"]
    model.set_weights(arrays_of(case, "weight"))
    model.compile(**make(case["compile"]))
    return model


def class_weight_of(case):
    given = case.get("class_weight")
    return None if given is None else {int(label): weight for label, weight in given.items()}


def assert_weights(model, case, prefix="final_weight"):
    for variable, wanted in zip(model.weights, arrays_of(case, prefix), strict=True):
        assert_close(variable.value, wanted, "training", f"{prefix} {variable.path}", "float32")


def check_steps(case):
    model = compiled_model(case)
    inputs, targets = arrays_of(case, "x"), arrays_of(case, "y")
    weight = array_of(case, "sample_weight") if "sample_weight" in case["arrays"] else None
    wanted = array_of(case, "losses")
    size, losses = case["batch_size"], []
    for step in range(case["steps"]):
        rows = slice(step % 3 * size, (step % 3 + 1) * size)
        losses.append(
            np.ravel(
                model.train_on_batch(
                    one_or_list([x[rows] for x in inputs]),
                    one_or_list([y[rows] for y in targets]),
                    sample_weight=None if weight is None else weight[rows],
                    class_weight=class_weight_of(case),
                )
            )
        )
    assert_close(np.array(losses[:3]), wanted[:3], "training_start", "first losses", "float32")
    assert_close(np.array(losses), wanted, "training", "losses", "float32")
    assert_weights(model, case)
    assert [variable.path for variable in model.optimizer.variables] == case["optimizer_variables"]
    for variable, state in zip(model.optimizer.variables, arrays_of(case, "optimizer"), strict=True):
        assert_close(variable.value, state, "training", variable.path, "float32")
    if arrays_of(case, "finalized_weight"):
        model.optimizer.finalize_variable_values(model.trainable_weights)
        assert_weights(model, case, "finalized_weight")
    assert_predictions(model, case)


def assert_predictions(model, case):
    answers = model.predict_on_batch(one_or_list(arrays_of(case, "x")))
    answers = answers if isinstance(answers, (list, tuple)) else [answers]
    for answer, wanted in zip(answers, arrays_of(case, "prediction"), strict=True):
        assert_close(answer, wanted, "training", "prediction", "float32")


def check_fit(case):
    model = compiled_model(case)
    inputs, targets = one_or_list(arrays_of(case, "x")), one_or_list(arrays_of(case, "y"))
    held_back = one_or_list(arrays_of(case, "val_x") or [None]), one_or_list(arrays_of(case, "val_y") or [None])
    history = model.fit(
        inputs,
        targets,
        sample_weight=array_of(case, "sample_weight") if "sample_weight" in case["arrays"] else None,
        class_weight=class_weight_of(case),
        validation_data=held_back if case["validation_data"] else None,
        callbacks=make(case["callbacks"]),
        verbose=0,
        **case["fit"],
    )
    assert history.epoch == case["epoch"]
    assert list(history.history) == list(case["history"])
    for name, wanted in case["history"].items():
        assert_close(np.array(history.history[name]), np.array(wanted), "training", name, "float32")
    assert_weights(model, case)
    assert_predictions(model, case)
    if case.get("evaluate"):
        answer = model.evaluate(inputs, targets, batch_size=case["fit"]["batch_size"], verbose=0, return_dict=True)
        assert answer.keys() == case["evaluate"].keys()
        for name, wanted in case["evaluate"].items():
            assert_close(np.array(answer[name]), np.array(wanted), "training", f"evaluate {name}", "float32")


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("case", cases_of("training"))
def test_training_follows_keras(case):
    recurra.utils.set_random_seed(0)
    check_fit(case) if case["kind"] == "fit" else check_steps(case)
