"""HDF5 files, read only: the part of the format that Keras and h5py use for weights, in Python.

    superblock        the address of the root group
    object header     messages: of a group its links, of a dataset its shape, type and place, of both their attributes
    dataset           numbers in one piece, in the file or in the header itself

libhdf5 has had overflows on hostile files, and a weights file needs little of it. Here every address and length is
checked against the file, twice the file's size is all that may be read as structure, and arrays are read only in shapes
that the caller names. Links to other places and files, filters, chunks, virtual datasets and shared types are refused.
Checksums of metadata are not looked at. https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Iterator
from functools import cached_property
from typing import Any, BinaryIO, NoReturn

import numpy as np

from recurra._checks import expected
from recurra.errors import FileFormatError
from recurra.interop import hdf5_links

SIGNATURE = b"\x89HDF\r\n\x1a\n"
UNDEFINED = 2**64 - 1
DATASPACE, LINK_INFO, DATATYPE, LINK, EXTERNAL_FILES, LAYOUT = 1, 2, 3, 6, 7, 8
FILTERS, ATTRIBUTE, CONTINUATION, SYMBOL_TABLE, ATTRIBUTE_INFO = 11, 12, 16, 17, 21
USED = (
    *(DATASPACE, LINK_INFO, DATATYPE, LINK, EXTERNAL_FILES, LAYOUT),
    *(FILTERS, ATTRIBUTE, SYMBOL_TABLE, ATTRIBUTE_INFO),
)
INTEGER, FLOAT, STRING, VARIABLE_LENGTH = 0, 1, 3, 9  # classes of types
OTHER_CLASSES = {4: "bits", 5: "opaque bytes", 6: "records", 7: "references", 8: "an enumeration", 10: "arrays"}
# IEEE 754: sign, exponent's place and size, mantissa's place and size, bias, by size in bytes.
FLOATS = {2: (15, 10, 5, 0, 10, 15), 4: (31, 23, 8, 0, 23, 127), 8: (63, 52, 11, 0, 52, 1023)}
DEEPEST = 64  # of groups in groups
LARGEST_SLACK = 2**16  # of structure that may be read beyond twice the file's size


@contextlib.contextmanager
def open_hdf5(file: BinaryIO, name: str, start: int = 0, size: int | None = None) -> Iterator[Hdf5File]:
    """Reads in an HDF5 file.

    Args:
        file: A binary file that can seek.
        name: What errors call it.
        start: Where in `file` the HDF5 file begins.
        size: Its length in bytes; to the end of `file` if None.

    Raises:
        FileFormatError: At the start or within the `with` block, if the file is not sound or has what is refused.
    """
    try:
        yield Hdf5File(file, name, start, size)
    except FileFormatError:
        raise
    except (struct.error, ValueError, IndexError, OverflowError, RecursionError) as error:
        # Parts that are too short for what is read from them; damaged text.
        raise FileFormatError(expected(name, "a sound HDF5 file", str(error))) from error


class Hdf5File:
    """An HDF5 file, as `open_hdf5` opens it."""

    def __init__(self, file: BinaryIO, name: str, start: int = 0, size: int | None = None):
        self.name = name
        self._file = file
        self._start = start
        self._size = file.seek(0, 2) - start if size is None else size
        self._left = 2 * self._size + LARGEST_SLACK
        self._objects: dict[int, Node] = {}
        self._collections: dict[int, dict[int, bytes]] = {}
        self.root = self.node(self._read_superblock(), "/")

    def _read_superblock(self) -> int:
        head = self.block(0, min(96, self._size))
        if head[:8] != SIGNATURE:
            self.refuse("an HDF5 file", "another kind of file")
        version = head[8] if len(head) == 96 else -1
        if version == 0:
            sizes, base, end, root = head[13:15], *struct.unpack_from("<QxxxxxxxxQ8x8xQ", head, 24)
        elif version in (2, 3):
            sizes, base, end, root = head[9:11], *struct.unpack_from("<QxxxxxxxxQQ", head, 12)
        else:
            self.refuse("a superblock of version 0, 2 or 3", version)
        if sizes != b"\x08\x08" or base != 0:
            self.refuse("offsets of 8 bytes from the start of the file", "others")
        if end > self._size:
            self.refuse(f"{end} bytes", self._size)
        return root

    def refuse(self, what: str, got: Any, hint: str | None = None) -> NoReturn:
        """Raises the error "NAME expected WHAT, got GOT: HINT"."""
        raise FileFormatError(expected(self.name, what, got, hint))

    def block(self, address: int, size: int, signature: bytes = b"") -> bytes:
        """Returns bytes of structure, which have to begin with `signature`."""
        self.charge(size)
        data = self._bytes(address, size)
        if data[: len(signature)] != signature:
            self.refuse("a sound HDF5 file", f"no {signature.decode()} at byte {address}")
        return data

    def charge(self, size: int) -> None:
        """Takes so many bytes off what may be read as structure; parts that lie in one another come to more."""
        self._left -= size
        if self._left < 0:
            self.refuse("a sound HDF5 file", "one whose parts overlap")

    def _bytes(self, address: int, size: int) -> bytes:
        if size < 0 or address < 0 or address + size > self._size:
            self.refuse("a sound HDF5 file", f"{size} bytes at byte {address} of {self._size}")
        self._file.seek(self._start + address)
        data = self._file.read(size)
        if len(data) != size:
            self.refuse("a sound HDF5 file", "one that ends early")
        return data

    def array(self, address: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Returns the numbers that begin at a byte of the file."""
        return np.frombuffer(self._bytes(address, math.prod(shape) * dtype.itemsize), dtype).reshape(shape)

    def node(self, address: int, path: str) -> Node:
        """Returns the group or dataset whose header lies at a byte of the file."""
        if address not in self._objects:
            self._objects[address] = Node(self, address, path)
        return self._objects[address]

    def group(self, path: str) -> Node:
        """Returns the group at "a/b/c"."""
        node = self.root.find(path)
        if node is None:
            self.refuse(f"the group {path!r}", "none: the file is of another model")
        if not node.is_group:
            self.refuse(f"the group {path!r}", "a dataset")
        return node

    def dataset(self, path: str) -> Node:
        """Returns the dataset at "a/b/c"."""
        node = self.root.find(path)
        if node is None or node.is_group:
            self.refuse(f"the weight {path!r}", "none" if node is None else "a group")
        return node

    def datasets(self, node: Node | None = None, path: str = "", depth: int = 0) -> Iterator[tuple[str, Node]]:
        """Yields path and dataset, of all that lie in a group."""
        if depth > DEEPEST:
            self.refuse(f"groups at most {DEEPEST} deep", "deeper ones")
        node = node or self.root
        for name in sorted(node.links, key=lambda name: name.zfill(9) if name.isdigit() else name):
            self._left -= 64  # groups that are linked twice end here at last
            if self._left < 0:
                self.refuse("a sound HDF5 file", "groups that hold each other")
            child = node.find(name)
            if child is not None and child.is_group:
                yield from self.datasets(child, f"{path}{name}/", depth + 1)
            elif child is not None:
                yield f"{path}{name}", child

    def heap_object(self, address: int, index: int, size: int) -> bytes:
        """Returns the first bytes of an object of a global heap, where text of variable length lies."""
        if address not in self._collections:
            (heap_size,) = struct.unpack_from("<Q", self.block(address, 16, b"GCOL"), 8)
            data = self.block(address, heap_size)
            found: dict[int, bytes] = {}
            at = 16
            while at + 16 <= heap_size:
                number, length = struct.unpack_from("<HxxxxxxQ", data, at)
                if number == 0:
                    break
                found[number] = data[at + 16 : at + 16 + length]
                at += 16 + (length + 7) // 8 * 8
            self._collections[address] = found
        if index not in self._collections[address]:
            self.refuse("a sound HDF5 file", "text that is not there")
        whole = self._collections[address][index]
        self.charge(min(size, len(whole)))  # before it is copied: any number of texts may name one object
        return whole[:size]


class Node:
    """A group or a dataset."""

    def __init__(self, file: Hdf5File, address: int, path: str):
        self._file = file
        self._path = path
        self._messages: dict[int, list[bytes]] = {}
        first = file.block(address, 12)
        for kind, flags, body in _modern_header(file, address) if first[:4] == b"OHDR" else _header(file, address):
            if kind in USED:
                if flags & 2:
                    self._refuse("no shared messages")
                self._messages.setdefault(kind, []).append(body)
        self.is_group = SYMBOL_TABLE in self._messages or LINK_INFO in self._messages
        if not self.is_group and not self._messages.keys() >= {DATASPACE, DATATYPE, LAYOUT}:
            self._refuse("a group or a dataset", "another object")

    def _refuse(self, what: str, got: Any = "one", hint: str | None = None) -> NoReturn:
        self._file.refuse(f"{what} at {self._path!r}", got, hint)

    def _message(self, kind: int) -> bytes:
        return self._messages[kind][0]

    # Groups

    @cached_property
    def links(self) -> dict[str, int | str]:
        """Names and what they lead to: the address of an object, or words for a link of another kind."""
        if SYMBOL_TABLE in self._messages:
            return hdf5_links.from_symbol_table(self._file, self._message(SYMBOL_TABLE))
        return hdf5_links.from_messages(self._file, self._message(LINK_INFO), self._messages.get(LINK, []))

    def find(self, path: str) -> Node | None:
        """Returns what "a/b/c" leads to from this group, by hard links alone, or None."""
        node = self
        for name in path.split("/"):
            target = node.links.get(name) if node.is_group else None
            if target is None:
                return None
            if isinstance(target, str):
                self._file.refuse("no links", f"{target} at {path!r}")
            node = self._file.node(target, path)
        return node

    # Attributes

    @cached_property
    def _attributes(self) -> dict[str, tuple[bytes, bytes, bytes]]:
        """Type, shape and value of each attribute, as they lie in the file."""
        for info in self._messages.get(ATTRIBUTE_INFO, []):
            if info[2 + 2 * (info[1] & 1) :][:8] != b"\xff" * 8:
                self._refuse("attributes in the header", "a heap of them")
        found = {}
        for body in self._messages.get(ATTRIBUTE, []):
            version, flags, *sizes = struct.unpack_from("<BBHHH", body)
            if version not in (1, 2, 3) or (version > 1 and flags & 3):
                self._refuse("plain attributes", "others")
            at = 9 if version == 3 else 8
            parts = []
            for size in sizes:
                parts.append(body[at : at + size])
                at += (size + 7) // 8 * 8 if version == 1 else size
            found[_text(parts[0])] = (parts[1], parts[2], body[at:])
        return found

    def text(self, name: str) -> list[str]:
        """Returns an attribute that holds text, in a list; an empty list if there is none."""
        if name not in self._attributes:
            return []
        datatype, dataspace, data = self._attributes[name]
        count = math.prod(self._shape(dataspace))
        if count == 0:
            return []
        kind = datatype[0] & 15
        (size,) = struct.unpack_from("<I", datatype, 4)
        if kind not in (STRING, VARIABLE_LENGTH) or size == 0 or count * size > len(data):
            self._refuse(f"text in the attribute {name!r}", "something else")
        self._file.charge(count * size)
        items = [data[i * size : (i + 1) * size] for i in range(count)]
        if kind == VARIABLE_LENGTH:
            if size != 16 or datatype[1] & 15 != 1:
                self._refuse(f"text in the attribute {name!r}", "something else")
            places = [struct.unpack("<IQI", item) for item in items]
            items = [self._file.heap_object(place, index, size) if size else b"" for size, place, index in places]
        return [_text(item) for item in items]

    # Datasets

    def _shape(self, body: bytes) -> tuple[int, ...]:
        version, rank = body[0], body[1]
        if version not in (1, 2) or rank > 32:
            self._refuse("a plain shape", "another")
        if version == 2 and body[3] == 2:
            return (0,)
        return struct.unpack_from(f"<{rank}Q", body, 8 if version == 1 else 4)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        return self._shape(self._message(DATASPACE))

    @cached_property
    def dtype(self) -> np.dtype:
        """The type of a dataset of numbers."""
        body = self._message(DATATYPE)
        kind, flags = body[0] & 15, int.from_bytes(body[1:4], "little")
        (size,) = struct.unpack_from("<I", body, 4)
        order = ">" if flags & 1 else "<"
        if kind == INTEGER and size in (1, 2, 4, 8) and struct.unpack_from("<HH", body, 8) == (0, 8 * size):
            return np.dtype(f"{order}{'i' if flags & 8 else 'u'}{size}")
        if kind == FLOAT and size in FLOATS and not flags & 0x40 and flags >> 4 & 3 == 2:
            offset, precision, *places, bias = struct.unpack_from("<HHBBBBI", body, 8)
            if (offset, precision, flags >> 8 & 255, *places, bias) == (0, 8 * size, *FLOATS[size]):
                return np.dtype(f"{order}f{size}")
        kinds = {INTEGER: "odd integers", FLOAT: "odd floats", STRING: "text", VARIABLE_LENGTH: "lists"}
        self._refuse("numbers", (kinds | OTHER_CLASSES).get(kind, "another type"))

    def read(self, shape: tuple[int, ...], hint: str | None = None) -> np.ndarray:
        """Returns the numbers of a dataset, after it was seen that they have the shape and lie in one piece.

        Args:
            shape: The shape.
            hint: What to do if it is another.
        """
        if self.shape != shape:
            self._refuse(f"numbers of shape {shape}", self.shape, hint)
        dtype = self.dtype
        if FILTERS in self._messages or EXTERNAL_FILES in self._messages:
            self._refuse("plain data", "filters" if FILTERS in self._messages else "data in another file")
        size = math.prod(shape) * dtype.itemsize
        body = self._message(LAYOUT)
        version, kind = body[0], body[1]
        if version not in (3, 4) or kind > 1:
            names = {2: "chunks", 3: "a virtual dataset"}
            self._refuse(
                "data in one piece", names.get(kind, "another layout") if version in (3, 4) else "an old layout"
            )
        if kind == 0:
            (stored,) = struct.unpack_from("<H", body, 2)
            if stored != size or len(body) < 4 + size:
                self._refuse(f"{size} bytes", stored)
            return np.frombuffer(body, dtype, math.prod(shape), 4).reshape(shape)
        address, stored = struct.unpack_from("<QQ", body, 2)
        if size and (address == UNDEFINED or stored != size):
            self._refuse(f"{size} bytes", "none" if address == UNDEFINED else stored)
        return self._file.array(address if size else 0, shape, dtype)


Message = tuple[int, int, bytes]  # kind, flags, body


def _header(file: Hdf5File, address: int) -> Iterator[Message]:
    """Yields the messages of an object header of version 1."""
    version, count, size = struct.unpack("<BxHxxxxI", file.block(address, 12))
    if version != 1:
        file.refuse("a sound HDF5 file", f"no object at byte {address}")
    blocks = [(address + 16, size)]
    for start, length in blocks:
        data, at = file.block(start, length), 0
        while at + 8 <= length and count:
            kind, size, flags = struct.unpack_from("<HHB", data, at)
            body = data[at + 8 : at + 8 + size]
            at, count = at + 8 + size, count - 1
            if kind == CONTINUATION:
                blocks.append(struct.unpack_from("<QQ", body))
            yield kind, flags, body


def _modern_header(file: Hdf5File, address: int) -> Iterator[Message]:
    """Yields the messages of an object header of version 2."""
    version, flags = file.block(address, 6)[4:]
    if version != 2:
        file.refuse("a sound HDF5 file", f"no object at byte {address}")
    at = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    blocks = [file.block(at + width, int.from_bytes(file.block(at, width), "little"))]
    head = 6 if flags & 4 else 4
    for data in blocks:
        at = 0
        while at + head <= len(data):
            kind, size, message_flags = struct.unpack_from("<BHB", data, at)
            body = data[at + head : at + head + size]
            at += head + size
            if kind == CONTINUATION:
                start, length = struct.unpack_from("<QQ", body)
                blocks.append(file.block(start, length, b"OCHK")[4:-4])
            yield kind, message_flags, body


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode()
