"""Hostile files: each is refused in one line, without running, importing or opening anything, in little memory."""

import io
import re
import sys
import tracemalloc
import zipfile

import pytest
from hostile import CASES, make_model, sound_bytes, sound_members

import recurra
import recurra.interop.keras2_file  # before the audit begins
from recurra.errors import FileFormatError

LARGEST_PEAK = 2**25
# What Python tells an audit hook before it happens, beside the opening of files.
DANGEROUS = ("compile", "exec", "import", "os.", "subprocess.", "socket.", "ctypes.", "shutil.", "tempfile.")

_events: list[tuple[str, str]] | None = None  # where they are noted; None while nobody looks


def _note(event, arguments):
    if _events is not None and (event == "open" or event.startswith(DANGEROUS)):
        _events.append((event, str(arguments[0]) if arguments else ""))


sys.addaudithook(_note)


def load(path):
    if path.name.endswith(".weights.h5"):
        make_model().load_weights(path)
    elif path.suffix == ".safetensors":
        recurra.interop.load_safetensors(make_model(), path)
    else:
        recurra.models.load_model(path)


@pytest.fixture(scope="module", autouse=True)
def everything_is_imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    model = make_model()
    model.save(folder / "m.keras")
    model.save_weights(folder / "m.weights.h5")
    load(folder / "m.keras")
    load(folder / "m.weights.h5")


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_is_refused_in_one_line_and_does_nothing(name, tmp_path, monkeypatch):
    global _events
    ending, words, write = CASES[name]
    if ending == ".safetensors":
        pytest.importorskip("safetensors.numpy", reason="the interop extra is not installed")
    path = tmp_path / f"bad{ending}"
    write(path)
    monkeypatch.chdir(tmp_path)
    _events = []
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError) as caught:
            load(path)
    finally:
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        events, _events = _events, None
    message = str(caught.value)
    assert re.search(words, message), message
    assert "\n" not in message
    assert len(message) <= 300
    assert peak_bytes < LARGEST_PEAK
    assert {event for event in events if event != ("open", str(path))} == set()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", [0, 8], ids=["stored", "deflated"])
def test_a_sound_archive_loads_even_if_somebody_packed_it_anew(kind, tmp_path):
    (tmp_path / "m.keras").write_bytes(sound_bytes(kind))
    weights = recurra.models.load_model(tmp_path / "m.keras").get_weights()
    assert [weight.shape for weight in weights] == [(3, 8), (2, 8), (8,), (2, 1), (1,)]


def raise_unsupported(*_):
    raise io.UnsupportedOperation


@pytest.mark.parametrize("kind", [0, 8], ids=["stored", "deflated"])
@pytest.mark.parametrize("all_large", [False, True])
@pytest.mark.parametrize("can_seek", [True, False])
def test_a_sound_archive_with_sizes_of_64_bits_loads(can_seek, all_large, kind, tmp_path, monkeypatch):
    if all_large:  # the directory and its place are then written as those of archives beyond 4 GB
        monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 0)
    stream = io.BytesIO()
    if not can_seek:
        stream.tell = stream.seek = raise_unsupported
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, data in sound_members().items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    data = stream.getvalue()
    assert (b"PK\6\6" in data) == all_large
    (tmp_path / "m.keras").write_bytes(data)
    weights = recurra.models.load_model(tmp_path / "m.keras").get_weights()
    assert [weight.shape for weight in weights] == [(3, 8), (2, 8), (8,), (2, 1), (1,)]
