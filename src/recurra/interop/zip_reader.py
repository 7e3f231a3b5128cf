"""Zip archives, read only: the directory is checked as a whole before a member is read.

Python's zipfile takes what it finds: as many entries as there are bytes for, members that share bytes, a size in the
directory and another one in front of the data. https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from recurra._checks import expected
from recurra.errors import FileFormatError

LARGEST_DIRECTORY = 2**20  # bytes; a model has three members
LARGEST_RATIO = 100  # of a compressed member, beyond which it is taken for a bomb; Keras does not compress
STORED, DEFLATED = 0, 8
ENCRYPTED, DESCRIPTOR, UTF8 = 0x2041, 0x8, 0x800  # flags
SYMLINK = 0o120000
CHUNK = 2**20


@dataclass(frozen=True)
class Member:
    """An entry of the directory.

    Attributes:
        start: Where its data begins in the file.
        packed: Bytes in the file.
        size: Bytes unpacked.
    """

    name: str
    method: int
    start: int
    packed: int
    size: int
    checksum: int


class Archive:
    """The members of an archive by name.

    Args:
        file: A binary file that can seek; it stays open as long as members are read.
        name: What errors call it.

    Raises:
        FileFormatError: If the archive is not sound, or a member is not a plain file of a sound size.
    """

    def __init__(self, file: BinaryIO, name: str):
        self.name = name
        self._file = file
        self._length = file.seek(0, 2)
        self.members: dict[str, Member] = {}
        try:
            self._read_directory()
        except (struct.error, UnicodeDecodeError) as error:
            raise FileFormatError(expected(name, "a sound zip archive", str(error))) from error

    def _refuse(self, what: str, got: object) -> NoReturn:
        raise FileFormatError(expected(self.name, what, got))

    def _at(self, position: int, size: int) -> bytes:
        if position < 0 or position + size > self._length:  # of a zip64, more than can be sought
            self._refuse("a sound zip archive", "one that ends early")
        self._file.seek(position)
        data = self._file.read(size)
        if len(data) != size:
            self._refuse("a sound zip archive", "one that ends early")
        return data

    def _find_directory(self) -> tuple[int, int]:
        """Returns where the directory begins, and its size."""
        length = self._length
        tail_size = min(length, 22 + 2**16)
        tail = self._at(length - tail_size, tail_size)
        found = tail.rfind(b"PK\5\6")
        if found < 0:
            self._refuse(
                "a whole zip archive",
                "one without its end" if self._at(0, min(4, length)) == b"PK\3\4" else "another kind of file",
            )
        end = length - tail_size + found
        disk, first, here, count, size, start, comment = struct.unpack_from("<4HIIH", tail, found + 4)
        if end + 22 + comment != length:
            self._refuse("a sound zip archive", "one with bytes behind its end")
        large = 0xFFFF in (here, count) or 0xFFFFFFFF in (size, start)
        if large or start + size != end:  # from 2 to 4 GB Python writes a zip64 whose short numbers would do
            (signature, _, at, _) = struct.unpack("<4sIQI", self._at(end - 20, 20))
            if signature != b"PK\6\7":
                got = "one without its end" if large else "one whose directory is elsewhere"
                self._refuse("a sound zip archive", got)
            end = at
            record = struct.unpack("<4sQHHIIQQQQ", self._at(at, 56))
            if record[0] != b"PK\6\6":
                self._refuse("a sound zip archive", "one without its end")
            disk, first, here, count, size, start = record[4:]
        if disk or first or here != count or start + size != end:
            self._refuse("a sound zip archive", "one whose directory is elsewhere")
        if size > LARGEST_DIRECTORY:
            self._refuse(f"a directory of at most {LARGEST_DIRECTORY} bytes", size)
        return start, size

    def _read_directory(self) -> None:
        directory, size = self._find_directory()
        data, at = self._at(directory, size), 0
        places: list[tuple[int, Member]] = []
        while at < size:
            signature, flags, method, checksum, packed, unpacked, *lengths, mode, start = struct.unpack_from(
                "<4s4xHH4xIIIHHH4xII", data, at
            )
            name_end = at + 46 + lengths[0]
            extra_end = name_end + lengths[1]
            raw = data[at + 46 : name_end]
            name = raw.decode("utf-8" if flags & UTF8 else "cp437")
            if signature != b"PK\1\2" or len(raw) != lengths[0]:
                self._refuse("a sound zip archive", "a damaged directory")
            if flags & ENCRYPTED or method not in (STORED, DEFLATED):
                self._refuse("members that are stored or deflated", f"{name[:80]!r} encrypted or packed otherwise")
            if mode >> 16 & 0o170000 == SYMLINK:
                self._refuse("plain files as members", f"the link {name[:80]!r}")
            if name in self.members:
                self._refuse("members with different names", f"{name[:80]!r} twice")
            unpacked, packed, start = _large_sizes(data[name_end:extra_end], unpacked, packed, start)
            begin = self._data_start(name, raw, flags, method, (packed, unpacked), start)
            member = Member(name, method, begin, packed, unpacked, checksum)
            largest = packed if method == STORED else LARGEST_RATIO * max(packed, 100)
            if unpacked > largest or (method == STORED and unpacked != packed):
                self._refuse(f"{name[:80]} of at most {largest} bytes", unpacked)
            self.members[name] = member
            places.append((start, member))
            at = extra_end + lengths[2]
        ends = 0
        for start, member in sorted(places, key=lambda place: place[0]):
            if start < ends:
                self._refuse("members that lie apart", f"{member.name[:80]!r} in another one")
            ends = member.start + member.packed
        if ends > directory:
            self._refuse("members before the directory", "one behind it")

    def _data_start(self, name: str, raw: bytes, flags: int, method: int, sizes: tuple[int, int], start: int) -> int:
        """Returns where the data of a member begins, after its own header was compared with the directory."""
        head = self._at(start, 30)
        signature, its_flags, its_method, packed, size, length, extra = struct.unpack("<4s2xHH8xIIHH", head)
        rest = self._at(start + 30, length + extra)
        if signature != b"PK\3\4" or its_method != method or (its_flags ^ flags) & ENCRYPTED or rest[:length] != raw:
            self._refuse("a sound zip archive", f"two accounts of {name[:80]!r}")
        size, packed, _ = _large_sizes(rest[length:], size, packed, 0)
        if (packed, size) != sizes and not (its_flags & DESCRIPTOR and (packed, size) == (0, 0)):
            self._refuse("a sound zip archive", f"two sizes of {name[:80]!r}")
        return start + 30 + length + extra

    def read(self, name: str, largest: int) -> bytes:
        """Returns a member.

        Raises:
            FileFormatError: If it is larger than `largest` bytes, or damaged.
        """
        member = self.members[name]
        if member.size > largest:
            self._refuse(f"{name} of at most {largest} bytes", member.size)
        data = self._at(member.start, member.packed)
        if member.method == DEFLATED:
            unpacker = zlib.decompressobj(-15)
            try:
                data = unpacker.decompress(data, member.size + 1)
            except zlib.error as error:
                self._refuse("a sound zip archive", str(error))
            if len(data) != member.size or not (unpacker.eof or member.size == 0):
                self._refuse(f"{name} of {member.size} bytes", "another size")
        if zlib.crc32(data) != member.checksum:
            self._refuse("a sound zip archive", f"a damaged {name}")
        return data

    def place(self, name: str, largest: int) -> tuple[BinaryIO, int, int]:
        """Returns a file, and where in it the member begins and how long it is: a stored one is not copied.

        Raises:
            FileFormatError: As from `read`.
        """
        member = self.members[name]
        if member.method != STORED:
            return io.BytesIO(self.read(name, largest)), 0, member.size
        if member.size > largest:
            self._refuse(f"{name} of at most {largest} bytes", member.size)
        checksum, left = 0, member.size
        while left:
            chunk = self._at(member.start + member.size - left, min(left, CHUNK))
            checksum, left = zlib.crc32(chunk, checksum), left - len(chunk)
        if checksum != member.checksum:
            self._refuse("a sound zip archive", f"a damaged {name}")
        return self._file, member.start, member.size


def _large_sizes(extra: bytes, size: int, packed: int, start: int) -> tuple[int, int, int]:
    """Returns the sizes, those that do not fit into 32 bits from the extra field of zip64."""
    values = [size, packed, start]
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            large = [value for (value,) in struct.iter_unpack("<Q", extra[at + 4 : at + 4 + length // 8 * 8])]
            for i, value in enumerate(values):
                if value == 0xFFFFFFFF and large:
                    values[i] = large.pop(0)
            break
        at += 4 + length
    return values[0], values[1], values[2]
