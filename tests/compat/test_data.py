"""`tf.data.Dataset`: the chains of time-series notebooks."""

import numpy as np
import pytest

import recurra.compat.tensorflow as tf
from recurra import _tree

Dataset = tf.data.Dataset


def values(dataset):
    return [np.asarray(element).tolist() for element in dataset]


def test_the_windowing_chain_of_time_series_notebooks():
    series = np.arange(10, dtype=np.float32)
    dataset = (
        Dataset.from_tensor_slices(series)
        .window(5, shift=1, drop_remainder=True)
        .flat_map(lambda window: window.batch(5))
        .map(lambda window: (window[:-1], window[-1]))
        .shuffle(100)
        .batch(4)
        .prefetch(1)
    )
    batches = list(dataset)
    assert [x.shape for x, _ in batches] == [(4, 4), (2, 4)]
    x = np.concatenate([x for x, _ in batches])
    y = np.concatenate([y for _, y in batches])
    np.testing.assert_array_equal(y, x[:, -1] + 1)
    assert sorted(y.tolist()) == [4, 5, 6, 7, 8, 9]
    assert not np.array_equal(y, np.concatenate([y for _, y in dataset]))  # another order at each reading


def test_a_model_trains_on_it():
    tf.random.set_seed(1)
    series = np.sin(np.arange(200) / 5).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(series, 9)
    dataset = Dataset.from_tensor_slices((windows[:, :8, None], windows[:, 8])).shuffle(500).batch(32)
    model = tf.keras.Sequential([tf.keras.Input((8, 1)), tf.keras.layers.GRU(8), tf.keras.layers.Dense(1)])
    model.compile(optimizer=tf.keras.optimizers.Adam(0.01), loss="mse")
    history = model.fit(dataset, epochs=10, verbose=0)
    assert history.history["loss"][-1] < 0.1 * history.history["loss"][0]
    assert model.predict(dataset, verbose=0).shape == (192, 1)


def test_rows_of_several_arrays_stay_together():
    dataset = Dataset.from_tensor_slices(({"a": [1, 2, 3]}, [10, 20, 30])).batch(2, drop_remainder=True)
    ((features, target),) = dataset
    assert features["a"].numpy().tolist() == [1, 2]
    assert target.numpy().tolist() == [10, 20]


def test_windows_may_leap_and_have_a_remainder():
    windows = Dataset.range(7).window(3).flat_map(lambda window: window.batch(3))
    assert values(windows) == [[0, 1, 2], [3, 4, 5], [6]]
    strided = (
        Dataset.range(7).window(2, shift=1, stride=3, drop_remainder=True).flat_map(lambda window: window.batch(2))
    )
    assert values(strided) == [[0, 3], [1, 4], [2, 5], [3, 6]]


def test_elements_are_chosen_and_repeated():
    numbers = Dataset.range(6)
    assert values(numbers.take(2)) == [0, 1]
    assert values(numbers.skip(4)) == [4, 5]
    assert values(numbers.filter(lambda x: x % 2 == 0)) == [0, 2, 4]
    assert values(numbers.take(2).repeat(2)) == [0, 1, 0, 1]
    assert values(numbers.repeat().skip(5).take(3)) == [5, 0, 1]
    assert sorted(values(numbers.shuffle(2))) == [0, 1, 2, 3, 4, 5]
    assert values(numbers.shuffle(6, seed=3)) == values(numbers.shuffle(6, seed=3))
    assert {type(number) for number in numbers.cache().as_numpy_iterator()} == {np.int64}  # may be keys
    assert all(type(array) is np.ndarray for array in numbers.batch(2).as_numpy_iterator())


def test_datasets_know_their_length_where_tensorflow_s_do():
    ten = Dataset.range(10)
    known = [
        (ten.batch(3), 4),
        (ten.batch(3, drop_remainder=True), 3),
        (ten.window(3, shift=1, drop_remainder=True), 8),
        (ten.window(3, shift=2, stride=2, drop_remainder=True), 3),
        (ten.window(3), 4),
        (ten.skip(3).shuffle(4).map(lambda x: x).prefetch(1).cache(), 7),
        (ten.take(30), 10),
        (ten.take(-1), 10),
        (ten.repeat(2), 20),
        (Dataset.zip(ten, Dataset.range(4)), 4),
        (Dataset.zip((ten, Dataset.range(4))), 4),
        (ten.concatenate(ten), 20),
        (Dataset.from_tensor_slices(np.zeros((5, 2))), 5),
        (Dataset.zip({"a": ten, "b": (ten.repeat(), Dataset.range(4))}), 4),
        (ten.repeat().take(3), 3),
        (ten.repeat().repeat(0), 0),
        (Dataset.range(0).repeat(), 0),
    ]
    for dataset, length in known:
        assert len(dataset) == len(list(dataset)) == int(dataset.cardinality()) == length
    assert Dataset.range(0)
    endless = ten.repeat()
    for dataset in (endless, endless.skip(3).batch(2).map(lambda x: x), endless.shard(3, 1), endless.window(2, 1)):
        assert not hasattr(dataset, "__len__")
        assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY == -1
    for dataset in (ten.filter(lambda x: x > 3), ten.batch(2).unbatch(), ten.filter(lambda x: x > 3).repeat(2)):
        assert not hasattr(dataset, "__len__")
        assert dataset.cardinality() == tf.data.UNKNOWN_CARDINALITY == -2
    assert tf.data.experimental.cardinality(endless) == tf.data.experimental.INFINITE_CARDINALITY


def test_datasets_are_joined_and_taken_apart():
    assert values(Dataset.range(2).concatenate(Dataset.range(1))) == [0, 1, 0]
    pairs = Dataset.zip(Dataset.range(5), Dataset.range(3)).batch(2)
    assert [(int(a), int(b)) for a, b in pairs.unbatch()] == [(0, 0), (1, 1), (2, 2)]
    message = r"concatenate expected elements like TensorSpec\(.*int64.*\), got \(TensorSpec\(.*\), TensorSpec\("
    with pytest.raises(TypeError, match=message):
        Dataset.range(2).concatenate(Dataset.from_tensors((1, 2)))
    many = Dataset.range(1)
    for _ in range(2000):  # one file after the other
        many = many.concatenate(Dataset.range(1))
    assert len(many) == 2001 and many.element_spec.dtype == tf.int64


def test_zipped_datasets_have_the_form_that_they_are_given_in():
    def plain(dataset):
        return [_tree.map_structure(int, element) for element in dataset]

    two, three = Dataset.range(2), Dataset.range(3, 6)
    assert plain(Dataset.zip({"a": two, "b": three})) == [{"a": 0, "b": 3}, {"a": 1, "b": 4}]
    assert plain(Dataset.zip((two, ({"b": three}, two)))) == [(0, ({"b": 3}, 0)), (1, ({"b": 4}, 1))]
    assert plain(Dataset.zip(datasets=(two, three))) == plain(Dataset.zip(two, three)) == [(0, 3), (1, 4)]
    assert plain(Dataset.zip(two)) == plain(two)
    spec = Dataset.zip(({"a": two.batch(2)}, three)).element_spec
    assert repr(spec) == repr(({"a": tf.TensorSpec((None,), tf.int64)}, tf.TensorSpec((), tf.int64)))
    for wrong, got in ((lambda: Dataset.zip((two, 3)), "int"), (Dataset.zip, "none")):
        with pytest.raises(TypeError, match=f"zip expected datasets, got {got}"):
            wrong()


def test_a_model_of_several_inputs_trains_on_zipped_datasets():
    tf.random.set_seed(1)
    a, b = tf.keras.Input((4, 1), name="a"), tf.keras.Input((2,), name="b")
    joined = tf.keras.layers.concatenate([tf.keras.layers.LSTM(2)(a), b])
    model = tf.keras.Model([a, b], tf.keras.layers.Dense(1)(joined))
    model.compile("sgd", "mse")
    sources = np.ones((8, 4, 1), "float32"), np.ones((8, 2), "float32"), np.zeros((8, 1), "float32")
    da, db, dy = map(Dataset.from_tensor_slices, sources)
    for inputs in ({"a": da, "b": db}, (da, db)):
        losses = model.fit(Dataset.zip((inputs, dy)).batch(4), epochs=3, verbose=0).history["loss"]
        assert losses[-1] < losses[0]


def test_windows_of_tuples_and_dicts_are_tuples_and_dicts_of_datasets():
    pairs = Dataset.from_tensor_slices(([1, 2, 3], [6.0, 7.0, 8.0])).window(2)
    assert [(values(x), values(y)) for x, y in pairs] == [([1, 2], [6.0, 7.0]), ([3], [8.0])]
    joined = pairs.flat_map(lambda x, y: Dataset.zip((x.batch(2), y.batch(2))))
    assert [(x.tolist(), y.tolist()) for x, y in joined] == [([1, 2], [6.0, 7.0]), ([3], [8.0])]
    assert repr(joined.element_spec) == repr((tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,))))
    named = Dataset.from_tensor_slices({"b": [1, 2, 3], "a": [4, 5, 6]}).window(2, shift=1, drop_remainder=True)
    assert [{name: values(part) for name, part in window.items()} for window in named] == [
        {"b": [1, 2], "a": [4, 5]},
        {"b": [2, 3], "a": [5, 6]},
    ]


def test_what_functions_of_elements_give_becomes_tensors_of_tensorflow_s_dtypes():
    numbers = Dataset.range(2)
    number, half = next(iter(numbers.map(lambda x: (x, 0.5))))
    assert (number.dtype, half.dtype, half.numpy()) == (tf.int64, tf.float32, 0.5)
    assert [half.dtype for _, half in numbers.map(lambda x: (x, 0.5)).batch(2)] == [tf.float32]
    assert [type(part) for part in next(iter(numbers.map(lambda x: [x, {"a": [1, 2]}])))] == [tf.Tensor, dict]
    assert next(iter(numbers.map(lambda x: [x, {"a": [1, 2]}])))[1]["a"].dtype == tf.int32  # a list within is data
    assert next(iter(numbers.map(lambda x: tf.math.top_k([x, 5])))).values.tolist() == [5]
    assert next(iter(numbers.map(lambda x: (x, None))))[1] is None
    assert values(next(iter(numbers.window(2).map(lambda window: window.batch(2))))) == [[0, 1]]
    count = Dataset.range(5).reduce(0, lambda state, _: state + 1)
    assert (count.numpy(), count.dtype) == (5, tf.int32)
    total, seen = numbers.reduce((0.0, False), lambda state, x: (state[0] + 0.5, True))
    assert (total.numpy(), total.dtype, seen.dtype) == (1.0, tf.float32, tf.bool)
    assert next(iter(Dataset.from_generator(lambda: iter([(1.5, 2)]))))[0].dtype == tf.float32


def test_ranges_have_a_dtype():
    assert [(x.dtype, float(x)) for x in Dataset.range(1, 5, 2, output_type=tf.float32)] == [
        ("float32", 1),
        ("float32", 3),
    ]


@pytest.mark.parametrize("name", ["list_files", "sample_from_datasets"])
def test_static_methods_that_are_not_there_say_what_to_do_too(name):
    with pytest.raises(AttributeError, match=f"Dataset expected a method that it has, got '{name}': .*from_generator"):
        getattr(Dataset, name)
    assert not hasattr(Dataset, name) and hasattr(Dataset, "from_tensors")


def test_methods_take_a_name():
    numbers, pairs = Dataset.range(4, name="n"), Dataset.from_tensor_slices([[1, 2]], name="n")
    chain = numbers.map(lambda x: x, name="n").filter(lambda x: x > 0, name="n").batch(2, name="n").unbatch(name="n")
    chain = chain.take(3, name="n").skip(1, name="n").repeat(2, name="n").cache(name="n").prefetch(1, name="n")
    chain = chain.concatenate(Dataset.from_tensors(9, name="n"), name="n").shard(1, 0, name="n").enumerate(name="n")
    assert [int(x) for _, x in chain] == [2, 3, 2, 3, 9]
    assert values(Dataset.zip(numbers, name="n").window(2, name="n").flat_map(lambda x: x, name="n")) == [0, 1, 2, 3]
    assert pairs.reduce(0, lambda total, row: total + tf.reduce_sum(row), name="n") == 3
    with pytest.raises(TypeError, match="unexpected keyword argument 'nam'"):
        numbers.take(2, nam="n")


def test_windows_of_a_stream_without_end_are_read_one_by_one():
    windows = Dataset.range(3).repeat().window(2, shift=4, stride=2).take(3)
    assert [values(window) for window in windows] == [[0, 2], [1, 0], [2, 1]]
    read = []
    stream = Dataset.range(9).map(lambda element: read.append(int(element)) or element)
    next(iter(stream.window(3, shift=1)))
    assert read == [0, 1, 2]


def test_counts_may_be_tensors():
    numbers = Dataset.range(4)
    assert sorted(values(numbers.shuffle(numbers.cardinality()))) == values(numbers)
    assert values(numbers.batch(tf.constant(3))) == [[0, 1, 2], [3]]
    assert values(numbers.skip(-1)) == [] and values(numbers.take(-1)) == [0, 1, 2, 3]  # all of them, as in TensorFlow


def test_the_spec_of_an_element_is_that_of_tensorflow():
    def pairs():
        yield [1.0], 2

    spec, numbers = tf.TensorSpec, Dataset.range(10)
    columns = Dataset.from_tensor_slices({"b": np.zeros((4, 3)), "a": [1, 2, 3, 4]})
    windows = numbers.window(3, 1, drop_remainder=True).flat_map(lambda window: window.batch(3))
    types = (tf.float32, tf.int32)
    series = tf.keras.utils.timeseries_dataset_from_array(np.zeros((9, 2)), np.zeros(9), 5, batch_size=4)
    for dataset, wanted in (
        (numbers.shuffle(3).repeat().take(2).skip(1).shard(2, 0).cache().prefetch(1), spec((), tf.int64)),
        (numbers.batch(2), spec((None,), tf.int64)),
        (numbers.batch(2, drop_remainder=True), spec((2,), tf.int64)),
        (numbers.batch(2).batch(2), spec((None, None), tf.int64)),
        (numbers.batch(2).unbatch(), spec((), tf.int64)),
        (numbers.batch(2).map(tf.reduce_sum), spec((), tf.int64)),
        (windows, spec((None,), tf.int64)),
        (windows.map(lambda w: (w[:-1], w[-1])), (spec((None,), tf.int64), spec((), tf.int64))),
        (numbers.filter(lambda x: x > 20).batch(2), spec((None,), tf.int64)),
        (numbers.enumerate(), (spec((), tf.int64), spec((), tf.int64))),
        (Dataset.zip(numbers, numbers.batch(2)), (spec((), tf.int64), spec((None,), tf.int64))),
        (numbers.concatenate(numbers), spec((), tf.int64)),
        (Dataset.from_tensors([[1.0, 2.0]]), spec((1, 2), tf.float32)),
        (columns.batch(2), {"b": spec((None, 3), tf.float64), "a": spec((None,), tf.int32)}),
        (Dataset.from_generator(pairs, output_signature=spec((None,), tf.int8)), spec((None,), tf.int8)),
        (Dataset.from_generator(pairs, types), (spec(None, tf.float32), spec(None, tf.int32))),
        (Dataset.from_generator(pairs, types, ((1,), ())).batch(2), (spec((None, 1)), spec((None,), tf.int32))),
        (Dataset.from_generator(pairs), (spec((1,), tf.float32), spec((), tf.int32))),
        (series, (spec((None, 5, 2), tf.float64), spec((None,), tf.float64))),
        (numbers.take(0).map(lambda x: x), None),
        (numbers.take(0).window(2).flat_map(lambda window: window.batch(2)), None),
    ):
        assert repr(dataset.element_spec) == repr(wanted)
        assert repr(dataset) == f"<Dataset element_spec={wanted}>"
    assert repr(spec([None, 3], "int64", name="x")) == "TensorSpec(shape=(None, 3), dtype=tf.int64, name='x')"
    assert repr(spec(None)) == "TensorSpec(shape=<unknown>, dtype=tf.float32, name=None)"
    assert repr(numbers.window(3).element_spec) == repr(numbers)


@pytest.mark.parametrize("look", [repr, lambda dataset: dataset.element_spec, list])
def test_attribute_errors_of_functions_of_elements_are_told_as_they_are(look):
    dataset = Dataset.range(3).map(lambda x: x.no_such_name)
    with pytest.raises(AttributeError, match=r"object has no attribute 'no_such_name'$"):
        look(dataset)


@pytest.mark.parametrize("seed", [None, 5])
def test_to_look_at_a_dataset_changes_nothing(seed):
    orders = []
    for looks in (False, True):
        tf.random.set_seed(1)
        shuffled = (
            Dataset.range(20).shuffle(20, seed).map(lambda x: x + tf.random.uniform((), 0, 1000, tf.int64, seed=seed))
        )
        series = tf.keras.utils.timeseries_dataset_from_array(np.arange(40), None, 3, shuffle=True, seed=seed)
        if looks:
            repr(shuffled), repr(series), repr(series.map(lambda x: x))
        orders.append(str([values(shuffled), values(shuffled), values(series)]))
    assert orders[0] == orders[1]


def sequences(lengths):
    return Dataset.from_generator(
        lambda: ((np.arange(n) + 1, n) for n in lengths),
        output_signature=(tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.float32)),
    )


@pytest.mark.parametrize(
    "options, wanted, shape",
    [
        ({}, [[[1, 0, 0], [1, 2, 3]], [[1, 2]]], (None, None)),
        ({"padded_shapes": ([4], []), "drop_remainder": True}, [[[1, 0, 0, 0], [1, 2, 3, 0]]], (2, 4)),
        ({"padded_shapes": ([-1], []), "padding_values": (9, None)}, [[[1, 9, 9], [1, 2, 3]], [[1, 2]]], (None, None)),
    ],
)
def test_batches_are_padded(options, wanted, shape):
    dataset = sequences([1, 3, 2]).padded_batch(2, **options)
    assert [x.tolist() for x, _ in dataset] == wanted
    assert dataset.element_spec[0].shape == shape
    assert [part.dtype for part in next(iter(dataset))] == [tf.int32, tf.float32]


def test_padding_of_dicts_and_of_all_parts():
    rows = Dataset.from_tensor_slices({"a": [[1, 2], [3, 4]]}).padded_batch(2, {"a": [3]}, padding_values=7)
    assert next(iter(rows))["a"].tolist() == [[1, 2, 7], [3, 4, 7]]
    assert len(rows) == 1
    with pytest.raises(ValueError, match=r"padding expected parts that fit into \(2,\), got \(3,\)"):
        list(sequences([1, 3]).padded_batch(2, ([2], [])))


def test_sequences_of_like_length_share_a_batch():
    def length(x, y):
        return tf.shape(x)[0]

    def lengths(*arguments, **options):
        batches = sequences([1, 5, 2, 7, 3, 3, 9]).bucket_by_sequence_length(length, *arguments, **options)
        return [(y.tolist(), x.shape[1]) for x, y in batches]

    assert lengths([3, 6], [2, 2, 2]) == [([1, 2], 2), ([5, 3], 5), ([7, 9], 9), ([3], 3)]
    assert lengths([3, 6, 10], [2, 2, 2, 1], pad_to_bucket_boundary=True, drop_remainder=True) == [
        ([1, 2], 2),
        ([5, 3], 5),
        ([7, 9], 9),
    ]
    assert lengths([3], [1, 1], no_padding=True)[0] == ([1], 1)
    with pytest.raises(ValueError, match="expected 3 bucket_batch_sizes, one more than boundaries, got 2"):
        lengths([3, 6], [2, 2])
    with pytest.raises(ValueError, match="expected elements shorter than 6, got a longer one"):
        lengths([3, 6], [2, 2, 2], pad_to_bucket_boundary=True)


def test_experimental_has_what_moved_out_of_it():
    assert tf.data.experimental.AUTOTUNE == tf.data.AUTOTUNE
    assert tf.data.experimental.cardinality(Dataset.range(3)) == 3
    assert values(Dataset.range(3).apply(lambda dataset: dataset.take(1))) == [0]


@pytest.mark.parametrize("make", [Dataset.from_tensor_slices, Dataset.from_tensors])
def test_elements_do_not_follow_the_array_and_are_read_only_as_numpy(make):
    array = np.arange(6.0).reshape(3, 2)
    dataset = make({"a": array})
    before = [element["a"].tolist() for element in dataset]
    array[...] = 0
    for _ in range(2):
        read = list(dataset.as_numpy_iterator())
        assert [element["a"].tolist() for element in read] == before
        with pytest.raises(ValueError, match="read-only"):
            read[0]["a"][...] = 0
    next(iter(dataset))["a"].numpy()[...] = 0
    assert next(iter(dataset))["a"].tolist() == before[0]


def test_a_generator_may_use_one_buffer_for_all():
    buffer = np.empty(2)

    def generate():
        for number in range(3):
            buffer[...] = number
            yield buffer

    assert values(list(Dataset.from_generator(generate))) == [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]
