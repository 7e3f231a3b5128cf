"""The links of an HDF5 group, in the three forms in which a file may hold them: names and addresses of objects.

symbol table   a B-tree whose leaves name entries in a local heap: what libhdf5 writes unless asked for newer forms
messages       in the object header, as long as there are few
dense          messages in a fractal heap, in the order of a B-tree of version 2
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recurra.interop.hdf5_reader import Hdf5File

Links = dict[str, "int | str"]
DEEPEST = 32  # of trees
NONE = 2**64 - 1  # an address that leads nowhere
OTHER_LINKS = {1: "a soft link", 64: "an external link"}


def from_symbol_table(file: Hdf5File, message: bytes) -> Links:
    """Reads the group of a symbol table message."""
    tree, heap = struct.unpack_from("<QQ", message)
    size, _, start = struct.unpack_from("<QQQ", file.block(heap, 32, b"HEAP"), 8)
    names = file.block(start, size)
    found: Links = {}
    for leaf in _symbol_nodes(file, tree, DEEPEST):
        (count,) = struct.unpack_from("<H", file.block(leaf, 8, b"SNOD"), 6)
        entries = file.block(leaf + 8, 40 * count)
        for name, address, cache in struct.iter_unpack("<QQI20x", entries):
            text = names[name : names.find(b"\0", name)].decode()
            found[text] = OTHER_LINKS[1] if cache == 2 else address
    return found


def _symbol_nodes(file: Hdf5File, tree: int, deepest: int) -> Iterator[int]:
    kind, level, count = struct.unpack_from("<BBH", file.block(tree, 24, b"TREE"), 4)
    if kind != 0 or level >= deepest:
        file.refuse("a sound HDF5 file", "a group without its tree")
    for _, child in struct.iter_unpack("<QQ", file.block(tree + 24, 16 * count)):
        if level == 0:
            yield child
        else:
            yield from _symbol_nodes(file, child, level)


def from_messages(file: Hdf5File, info: bytes, messages: list[bytes]) -> Links:
    """Reads the group of a link info message and of the link messages beside it."""
    heap, tree = struct.unpack_from("<QQ", info, 2 + 8 * (info[1] & 1))
    if heap != NONE:
        fractal = _FractalHeap.read(file, heap)
        messages = [*messages, *(fractal.object(file, record[4:]) for record in _records(file, tree))]
    return dict(map(_link, messages))


def _link(body: bytes) -> tuple[str, int | str]:
    flags, at = body[1], 2
    kind = 0
    if flags & 8:
        kind, at = body[at], at + 1
    at += (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
    width = 1 << (flags & 3)
    length, at = int.from_bytes(body[at : at + width], "little"), at + width
    name = body[at : at + length].decode()
    if kind != 0:
        return name, OTHER_LINKS.get(kind, "a link of another kind")
    return name, struct.unpack_from("<Q", body, at + length)[0]


def _records(file: Hdf5File, address: int) -> Iterator[bytes]:
    """Yields the records of a B-tree of version 2: a hash of 4 bytes and the place in the heap."""
    head = file.block(address, 38, b"BTHD")
    kind, node_size, size, depth, root, count = struct.unpack_from("<BIHHxxQH", head, 5)
    if kind != 5 or size != 11 or depth > DEEPEST or not 64 <= node_size <= 2**20:
        file.refuse("a sound HDF5 file", "a group without its tree")
    # How wide the counts beside a child are follows from how many records may lie below it.
    most = (node_size - 10) // size
    width = _width(most)
    total_widths, total = [0, 0], most
    for level in range(1, depth + 1):
        pointer = 8 + width + total_widths[level]
        most = (node_size - 10 - pointer) // (size + pointer)
        total = (most + 1) * total + most
        total_widths.append(_width(total))

    def walk(address: int, count: int, depth: int) -> Iterator[bytes]:
        pointer = 8 + width + total_widths[depth] if depth else 0
        body = file.block(address, 6 + count * size + (count + 1) * pointer, b"BTIN" if depth else b"BTLF")
        for i in range(count):
            yield body[6 + i * size : 6 + (i + 1) * size]
        for i in range(count + 1 if depth else 0):
            at = 6 + count * size + i * pointer
            child = int.from_bytes(body[at : at + 8], "little")
            yield from walk(child, int.from_bytes(body[at + 8 : at + 8 + width], "little"), depth - 1)

    if count:
        yield from walk(root, count, depth)


def _width(limit: int) -> int:
    return max(1, (limit.bit_length() + 7) // 8)


@dataclass
class _FractalHeap:
    """Blocks of doubling size in rows of `width`: two rows of `start_size`, then rows of twice the size before."""

    width: int
    start_size: int
    largest_direct: int
    offset_bytes: int
    length_bytes: int
    root: int
    rows: int

    @classmethod
    def read(cls, file: Hdf5File, address: int) -> _FractalHeap:
        head = struct.unpack("<4sBHHBI12QHQQHHQH", file.block(address, 142, b"FRHP"))
        filters, largest_object = head[3], head[5]
        width, start_size, largest_direct, bits, _, root, rows = head[18:]
        sizes_are_sound = 0 < start_size <= largest_direct <= 2**32 and 0 < width <= 2**12 and 0 < bits <= 64
        if filters or not sizes_are_sound or rows > 64 or start_size & (start_size - 1) or width & (width - 1):
            file.refuse("a sound HDF5 file", "a group without its heap")
        length_bytes = min((largest_direct.bit_length() + 6) // 8, _width(largest_object))
        return cls(width, start_size, largest_direct, (bits + 7) // 8, length_bytes, root, rows)

    def object(self, file: Hdf5File, place: bytes) -> bytes:
        if place[0] != 0:
            file.refuse("a sound HDF5 file", "links of an odd size")
        middle = 1 + self.offset_bytes
        offset = int.from_bytes(place[1:middle], "little")
        length = int.from_bytes(place[middle : middle + self.length_bytes], "little")
        return file.block(self._address(file, self.root, self.rows, offset), length)

    def _address(self, file: Hdf5File, block: int, rows: int, offset: int) -> int:
        """Returns where in the file a byte of an indirect block of so many rows lies; of a direct one for 0 rows."""
        if rows == 0:
            return block + offset
        for row in range(rows):
            size = self.start_size << max(row - 1, 0)
            if offset < size * self.width:
                place = 13 + self.offset_bytes + 8 * (row * self.width + offset // size)
                child = int.from_bytes(file.block(block + place, 8), "little")
                inner = 0 if size <= self.largest_direct else (size // (self.start_size * self.width)).bit_length()
                return self._address(file, child, inner, offset % size)
            offset -= size * self.width
        file.refuse("a sound HDF5 file", "a link outside its heap")
