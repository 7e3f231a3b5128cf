"""Against the real thing: Keras opens what recurra saves, recurra what Keras 3 and Keras 2 save, and torch agrees.

Run where they are installed (`pip install '.[peers]'`); skipped elsewhere.
"""

import held
import numpy as np
import pytest

import recurra
from recurra import layers
from recurra.compat.tensorflow.keras.preprocessing import text as own_text
from recurra.interop import from_torch, to_onnx, to_torch

KINDS = ["SimpleRNN", "LSTM", "GRU"]


def make(library, kind):
    """The same functional model from recurra or from Keras."""
    tools = library.layers
    first, second = library.Input((6, 3), name="a"), library.Input((4,), name="b")
    x = tools.Bidirectional(getattr(tools, kind)(5, return_sequences=True), name="both")(first)
    x = tools.LayerNormalization(name="norm")(x)
    x = getattr(tools, kind)(4, recurrent_dropout=0.1, name="last")(tools.Masking(name="mask")(x))
    outputs = tools.Dense(2, activation="softmax", name="out")(tools.Concatenate(name="join")([x, second]))
    model = library.Model([first, second], outputs)
    model.compile(optimizer=library.optimizers.Adam(0.01), loss="mse")
    return model


@pytest.fixture
def data(rng):
    return [rng.standard_normal((8, 6, 3)).astype("float32"), rng.standard_normal((8, 4)).astype("float32")]


@pytest.mark.parametrize("kind", KINDS)
def test_keras_opens_what_recurra_saves_and_the_other_way_round(kind, data, tmp_path):
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    mine = make(recurra, kind)
    mine.fit(data, np.ones((8, 2)), epochs=2, verbose=0)
    mine.save(tmp_path / "mine.keras")
    its = keras.models.load_model(tmp_path / "mine.keras")
    np.testing.assert_allclose(its.predict(data, verbose=0), mine.predict(data, verbose=0), rtol=1e-5, atol=1e-6)
    its.save(tmp_path / "its.keras")
    again = recurra.models.load_model(tmp_path / "its.keras")
    np.testing.assert_array_equal(again.predict(data, verbose=0), mine.predict(data, verbose=0))
    for one, other in zip(again.optimizer.variables, its.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    mine.save_weights(tmp_path / "mine.weights.h5")
    its.load_weights(tmp_path / "mine.weights.h5")
    np.testing.assert_allclose(its.predict(data, verbose=0), mine.predict(data, verbose=0), rtol=1e-5, atol=1e-6)


def drops(library):
    tools = library.layers
    end = library.Input((6, 3))
    steps = tools.Dropout(0.3)(tools.GRU(4, dropout=0.3, return_sequences=True)(end))
    part = library.Sequential([library.Input((6, 4)), tools.GaussianNoise(0.1), tools.Dropout(0.3)])
    heads = tools.MultiHeadAttention(2, 2, dropout=0.3)(steps, part(steps))
    both = tools.Bidirectional(tools.LSTM(3, recurrent_dropout=0.3))(heads)
    model = library.Model(end, tools.Dense(1)(both))
    model.compile("adam", "mse")
    return model


def test_random_states_of_dropouts_do_not_disturb_keras(data, tmp_path):
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    x, y = data[0], np.ones((8, 1))
    mine, its = drops(recurra), drops(keras)
    its.optimizer.build(its.trainable_variables)
    mine.train_on_batch(x, y)
    mine.save(tmp_path / "mine.keras")
    mine.save_weights(tmp_path / "mine.weights.h5")
    opened = keras.models.load_model(tmp_path / "mine.keras")  # warnings are errors in these tests
    its.load_weights(tmp_path / "mine.weights.h5")
    for other in (opened, its):
        np.testing.assert_allclose(other.predict(x, verbose=0), mine.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    opened.save(tmp_path / "its.keras")
    opened.save_weights(tmp_path / "its.weights.h5")
    again = recurra.models.load_model(tmp_path / "its.keras")
    states = [state.numpy() for state in mine._seed_states()]
    mine.load_weights(tmp_path / "its.weights.h5")
    for one in (again, mine):
        np.testing.assert_allclose(one.predict(x, verbose=0), opened.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    for state, before in zip(mine._seed_states(), states, strict=True):
        np.testing.assert_array_equal(state, before)


def joined_masks(library):
    """Two Concatenates, of a masked tensor beside one without a mask."""
    tools = library.layers
    ids, values = library.Input((4,)), library.Input((4, 2))
    both = tools.Concatenate()([tools.Embedding(7, 2, mask_zero=True)(ids), values])
    return library.Model([ids, values], tools.GRU(2)(tools.Concatenate()([both, values])))


@pytest.mark.parametrize("make", [held.twins, joined_masks])
def test_graphs_go_there_and_back(make, rng, tmp_path):
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    mine = make(recurra)
    data = [rng.integers(0, 3, (4, *one.shape[1:])).astype("float32") for one in mine.inputs]
    mine.save(tmp_path / "mine.keras")
    its = keras.models.load_model(tmp_path / "mine.keras")
    its.save(tmp_path / "its.keras")
    again = recurra.models.load_model(tmp_path / "its.keras")
    answers = [model.predict(data, verbose=0) for model in (mine, its, again)]
    for one, two, three in zip(*(answer if isinstance(answer, list) else [answer] for answer in answers), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(three, one)


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_h5_files_of_calls_of_an_inner_model_load(library, rng, tmp_path):
    keras = pytest.importorskip(library, reason=f"{library} is not installed")
    its = held.twins(keras)
    its.save(tmp_path / "m.h5")
    mine = recurra.models.load_model(tmp_path / "m.h5")
    data = list(rng.standard_normal((2, 4, 5, 3)).astype("float32"))
    for one, other in zip(mine.predict(data, verbose=0), its.predict(data, verbose=0), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize("kind", KINDS)
def test_whole_model_h5_files_load(library, kind, data, tmp_path):
    keras = pytest.importorskip(library, reason=f"{library} is not installed")
    its = make(keras, kind)
    its.save(tmp_path / "m.h5")
    mine = recurra.models.load_model(tmp_path / "m.h5")
    np.testing.assert_allclose(mine.predict(data, verbose=0), its.predict(data, verbose=0), rtol=1e-5, atol=1e-6)
    tools = keras.layers
    its = keras.Sequential([tools.Input((6, 3)), getattr(tools, kind)(4, go_backwards=True), tools.Dense(1)])
    its.save(tmp_path / "s.h5")
    mine = recurra.models.load_model(tmp_path / "s.h5")
    np.testing.assert_allclose(mine.predict(data[0], verbose=0), its.predict(data[0], verbose=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN", "Bidirectional"])
def test_masks_beside_initial_states_are_those_of_keras_2(kind, tmp_path):
    keras = pytest.importorskip("tf_keras", reason="tf_keras is not installed")
    tools = keras.layers

    def recurrent(**options):
        return (
            tools.Bidirectional(tools.LSTM(4, **options))
            if kind == "Bidirectional"
            else getattr(tools, kind)(4, **options)
        )

    ids, answers = keras.Input((None,)), keras.Input((None,))
    _, *states = recurrent(return_state=True)(tools.Embedding(9, 3, mask_zero=True)(ids))
    rows = tools.Dropout(0.1)(tools.Embedding(9, 3, mask_zero=True)(answers))
    steps = recurrent(return_sequences=True)(rows, initial_state=states)
    its = keras.Model([ids, answers], recurrent()(steps, initial_state=states))
    its.save(tmp_path / "m.h5")
    mine = recurra.models.load_model(tmp_path / "m.h5")
    data = [np.array([[1, 2, 3, 0], [4, 0, 0, 0]]), np.array([[3, 0, 2, 0, 0], [1, 0, 0, 0, 0]])]
    np.testing.assert_allclose(mine.predict(data, verbose=0), its.predict(data, verbose=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_h5_files_of_weights_alone_load_and_normalized_batches(library, data, tmp_path):
    keras = pytest.importorskip(library, reason=f"{library} is not installed")

    def line(library):
        tools = library.layers
        return library.Sequential([library.Input((6, 3)), tools.LSTM(4), tools.BatchNormalization(), tools.Dense(1)])

    its, mine = line(keras), line(recurra)
    its.save(tmp_path / "m.h5")
    if library == "tf_keras":
        its.save_weights(tmp_path / "w.h5")  # Keras 3 writes no such file
    for path in tmp_path.iterdir():
        mine.load_weights(path)
        np.testing.assert_allclose(mine.predict(data[0]), its.predict(data[0]), rtol=1e-5, atol=1e-6)
    mine = recurra.models.load_model(tmp_path / "m.h5")
    np.testing.assert_allclose(mine.predict(data[0]), its.predict(data[0]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kind", "name"), [("SimpleRNN", "RNN"), ("LSTM", "LSTM"), ("GRU", "GRU")])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_torch_computes_the_same_from_the_same_weights(kind, name, bidirectional, data):
    torch = pytest.importorskip("torch", reason="torch is not installed")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            options = {"num_layers": 2, "batch_first": True, "bidirectional": bidirectional}
            self.rnn = getattr(torch.nn, name)(3, 5, **options)
            self.head = torch.nn.Linear(10 if bidirectional else 5, 2)

        def forward(self, x):
            return self.head(self.rnn(x)[0])

    def line():
        layer = getattr(layers, kind)(5, return_sequences=True)
        return layers.Bidirectional(layer) if bidirectional else layer

    net = Net()
    mine = recurra.Sequential([recurra.Input((6, 3)), line(), line(), layers.Dense(2)])
    from_torch(mine, net.state_dict())
    expected = net(torch.from_numpy(data[0])).detach().numpy()
    np.testing.assert_allclose(mine.predict(data[0], verbose=0), expected, rtol=1e-5, atol=1e-6)
    state = {key: torch.from_numpy(value) for key, value in to_torch(mine).items()}
    single = getattr(torch.nn, name)(3, 5, batch_first=True, bidirectional=bidirectional)
    first = mine.layers[0].name
    own = {key.removeprefix(f"{first}."): value for key, value in state.items() if key.startswith(f"{first}.")}
    single.load_state_dict(own)
    part = recurra.Model(mine.inputs, mine.layers[0].output)
    np.testing.assert_allclose(
        part.predict(data[0], verbose=0), single(torch.from_numpy(data[0]))[0].detach().numpy(), rtol=1e-5, atol=1e-6
    )


def test_fit_takes_a_dataloader():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    x = np.random.default_rng(0).normal(size=(12, 4, 1)).astype("float32")
    y = x.sum(axis=1)
    data = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    losses = []
    for source in (torch.utils.data.DataLoader(data, batch_size=4), None):
        recurra.utils.set_random_seed(0)
        model = recurra.Sequential([recurra.Input((4, 1)), recurra.layers.GRU(3), recurra.layers.Dense(1)])
        model.compile("adam", "mse")
        given = (x, y) if source is None else (source,)
        losses.append(model.fit(*given, batch_size=None if source else 4, epochs=2, shuffle=False, verbose=0).history)
    assert losses[0] == losses[1]


def masked_merge(library, merge, both):
    """The same masked branches, merged, from recurra or from Keras."""
    tools = library.layers
    end = library.Input((6, 3))
    kept = tools.Masking()(end)
    other = tools.Dense(3)(kept if both else end)
    merged = getattr(tools, merge)()([kept, other])
    normal = tools.GlobalAveragePooling1D()(tools.RMSNormalization()(merged))  # which ends the mask
    return library.Model(end, tools.Concatenate()([tools.GRU(2)(merged), normal]))


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("merge", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"])
@pytest.mark.filterwarnings("ignore:Layer .* does not support masking")
def test_onnxruntime_gives_what_keras_gives_for_merged_masks(merge, both, data):
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    pytest.importorskip("onnx", reason="the interop extra is not installed")
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    mine, its = masked_merge(recurra, merge, both), masked_merge(keras, merge, both)
    mine.set_weights([weight + 0.1 for weight in its.get_weights()])
    its.set_weights(mine.get_weights())
    x = data[0]
    x[0, 4:], x[1, 1:], x[2] = 0, 0, 0
    made = to_onnx(mine, right_padded=True).SerializeToString()
    session = onnxruntime.InferenceSession(made, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(y, its.predict(x, verbose=0), rtol=1e-4, atol=1e-5)


def test_weights_in_bfloat16_come_over():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    model = recurra.Sequential([layers.Input((3,)), layers.Dense(2, name="out")])
    net = torch.nn.Linear(3, 2).to(torch.bfloat16)
    from_torch(model, {f"out.{name}": value for name, value in net.state_dict().items()})
    np.testing.assert_array_equal(model.get_weights()[0], net.weight.detach().float().numpy().T)


def test_tensors_of_torch_are_taken_with_gradients_and_in_bfloat16(rng):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    x = rng.standard_normal((11, 4, 2)).astype("float32")
    y = x.sum(axis=(1, 2))[:, None]
    rough = torch.tensor(x, requires_grad=True).bfloat16()
    losses = []
    for source in (
        (rough, torch.tensor(y)),
        (rough.detach().float().numpy(), y),
        ((batch for batch in [(rough, torch.tensor(y))]),),
    ):
        recurra.utils.set_random_seed(1)
        model = recurra.Sequential([recurra.Input((4, 2)), layers.GRU(5), layers.Dense(1)])
        model.compile("adam", "mse")
        losses.append(model.fit(*source, shuffle=False, verbose=0).history["loss"])
    assert losses[0] == losses[1] == losses[2]


def test_tensors_of_torch_are_taken_by_streams_losses_and_metrics(rng):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    x = torch.tensor(rng.standard_normal((5, 2)).astype("float32"))
    stream = recurra.Sequential([recurra.Input((None, 2)), layers.GRU(3)]).stream(5)
    odd = (x.clone().requires_grad_(), x.bfloat16(), torch._neg_view(x), torch.complex(-x, x).conj().imag)
    for tensor in odd:
        plain = tensor.detach().resolve_neg().float().numpy()
        stream.reset()
        wanted = stream.step(plain)
        stream.reset()
        np.testing.assert_array_equal(stream.step(tensor), wanted)
        for function in (recurra.losses.MeanSquaredError(), recurra.metrics.AUC()):
            assert float(function(np.eye(5)[:, :2], tensor)) == float(function(np.eye(5)[:, :2], plain))


def test_a_tokenizer_agrees_with_keras():
    text = pytest.importorskip("keras.src.legacy.preprocessing.text", reason="Keras is not installed")
    texts = ["One fish, two FISH; red fish\tblue fish.", ["Black", "fish"], "한국어 문장 - fish", ""]
    for options in ({}, {"num_words": 3}, {"num_words": 4, "oov_token": "?"}, {"lower": False}, {"char_level": True}):
        own, other = own_text.Tokenizer(**options), text.Tokenizer(**options)
        for tokenizer in (own, other):
            tokenizer.fit_on_texts(texts)
        assert own.word_index == other.word_index
        assert dict(own.word_docs) == dict(other.word_docs)
        assert own.word_counts == other.word_counts
        read = own_text.tokenizer_from_json(other.to_json())
        assert read.texts_to_sequences(texts) == other.texts_to_sequences(texts)
        assert text.tokenizer_from_json(own.to_json()).texts_to_sequences(texts) == other.texts_to_sequences(texts)
        found = own.texts_to_sequences([*texts, "new fish"])
        assert found == other.texts_to_sequences([*texts, "new fish"])
        assert own.sequences_to_texts(found) == other.sequences_to_texts(found)
        for mode in ("binary", "count", "freq", "tfidf"):
            wanted = other.texts_to_matrix(texts, mode=mode)
            np.testing.assert_allclose(own.texts_to_matrix(texts, mode=mode), wanted, rtol=1e-12)
