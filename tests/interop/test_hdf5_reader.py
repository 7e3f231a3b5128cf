"""The reader of HDF5 files, against h5py as the writer."""

import io
import random

import h5py
import numpy as np
import pytest

from recurra.errors import FileFormatError
from recurra.interop.hdf5_reader import open_hdf5

DTYPES = ("<f4", ">f4", "<f8", ">f8", "<f2", "<i8", ">i4", "<u2", "i1", "u1")
TEXTS = {"plain": "text", "bytes": b"bytes", "hangul": "한글", "several": [b"abc", b"de"], "none": []}
READ_TEXTS = {"plain": ["text"], "bytes": ["bytes"], "hangul": ["한글"], "several": ["abc", "de"], "none": []}


def written(fill, **options):
    """Returns the bytes of a file that `fill(h5py.File)` filled."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **options) as file:
        fill(file)
    return buffer.getvalue()


def opened(data):
    return open_hdf5(io.BytesIO(data), "test.h5")


def arrays_of(chance, count):
    """Returns arrays of odd dtypes and shapes by name."""
    arrays = {}
    for position in range(count):
        shape = tuple(chance.choice([0, 1, 2, 5]) for _ in range(chance.choice([0, 1, 1, 2, 3])))
        values = np.random.default_rng(position).standard_normal(shape) * 50
        arrays[str(position)] = np.array(values, dtype=chance.choice(DTYPES))
    return arrays


@pytest.mark.parametrize("track_order", [False, True])
@pytest.mark.parametrize("libver", [None, "latest", ("earliest", "v108"), ("v108", "v110")])
@pytest.mark.parametrize("size", [0, 1, 3, 14, 300])
def test_it_reads_what_h5py_writes(size, libver, track_order):
    """Small groups and large ones lie in a file in quite different ways."""
    chance = random.Random(size)
    arrays = arrays_of(chance, size)

    def fill(file):
        for group in ("a", "a/b/c"):
            made = file.create_group(group, track_order=track_order)
            for name, text in TEXTS.items():
                made.attrs[name] = text
            for name, array in arrays.items():
                made.create_dataset(name, data=array)

    with opened(written(fill, libver=libver, track_order=track_order)) as file:
        assert len(list(file.datasets())) == 2 * size
        for group in ("a", "a/b/c"):
            assert {name: file.group(group).text(name) for name in TEXTS} == READ_TEXTS
            for name, array in arrays.items():
                found = file.dataset(f"{group}/{name}").read(array.shape)
                assert found.dtype == array.dtype
                np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("libver", [None, "latest"])
def test_it_reads_forty_groups_in_a_group(libver):
    def fill(file):
        for position in range(40):
            file[f"layers/lstm_{position}/cell/vars/0"] = np.full((2, 3), position, "f4")

    with opened(written(fill, libver=libver)) as file:
        for position in range(40):
            found = file.dataset(f"layers/lstm_{position}/cell/vars/0").read((2, 3))
            np.testing.assert_array_equal(found, np.full((2, 3), position))


def in_the_header(file):
    """Writes numbers that lie in the header of their dataset."""
    options = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    options.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((2, 2))
    made = h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, space, options)
    h5py.Dataset(made)[...] = [[1, 2], [3, 4]]


def test_it_reads_numbers_that_lie_in_the_header():
    with opened(written(in_the_header)) as file:
        np.testing.assert_array_equal(file.dataset("x").read((2, 2)), [[1, 2], [3, 4]])


@pytest.mark.parametrize("size", [0, 12, 20])
def test_numbers_in_the_header_have_the_size_of_their_shape(size):
    numbers = np.array([1, 2, 3, 4], "<f4").tobytes()
    data, right = written(in_the_header), (16).to_bytes(2, "little") + numbers
    assert data.count(right) == 1
    with opened(data.replace(right, size.to_bytes(2, "little") + numbers)) as file:
        dataset = file.dataset("x")
        with pytest.raises(FileFormatError, match=rf"16 bytes at 'x', got {size}"):
            dataset.read((2, 2))


def test_it_reads_a_file_within_another_file():
    data = written(lambda file: file.create_dataset("x", data=[1.0, 2.0]))
    with open_hdf5(io.BytesIO(b"before" + data + b"behind"), "test.h5", 6, len(data)) as file:
        np.testing.assert_array_equal(file.dataset("x").read((2,)), [1, 2])


def test_groups_that_hold_each_other_end():
    def fill(file):
        file.create_group("a/b")
        file["a/b/a"] = file["a"]
        file["a/b/b"] = file["a/b"]

    with pytest.raises(FileFormatError, match=r"each other|at most 64 deep"), opened(written(fill)) as file:
        list(file.datasets())
