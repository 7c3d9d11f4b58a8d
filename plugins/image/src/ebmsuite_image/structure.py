"""Check from its first and last bytes whether a picture file is complete, without decoding it."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

__all__ = ["ends", "looks_whole"]

_END = 4096
"""The number of bytes read at each end of a file."""


ReadAt: TypeAlias = Callable[[int, int], bytes]
"""Reads a file: (offset, n) -> at most n bytes."""


def ends(path: Path | str) -> tuple[bytes, bool]:
    """Return a fingerprint of a file (16 bytes), and whether it looks like a complete picture.

    The fingerprint covers the size and the first and last 4 KiB. Raises `OSError` if the file cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))

    def read_at(offset: int, n: int) -> bytes:
        os.lseek(handle, offset, os.SEEK_SET)
        return os.read(handle, n)

    try:
        head = tail = os.read(handle, 2 * _END)
        size = len(head)
        if size == 2 * _END:
            size = os.lseek(handle, 0, os.SEEK_END)
            head, tail = head[:_END], read_at(size - _END, _END)
        print_ = hashlib.sha256(b"%d " % size + head + (b"" if tail is head else tail)).digest()[:16]
        return print_, looks_whole(read_at, head, tail, size)
    finally:
        os.close(handle)


def looks_whole(read_at: ReadAt, head: bytes, tail: bytes, size: int) -> bool:
    """Whether a file of ``size`` bytes with this ``head`` and ``tail`` looks like a complete picture of a known format.

    False only means that the file must be decoded to find out: some complete files look unusual, such as a JPEG
    followed by a film. True does not exclude damage in the middle of the file. PNG and JPEG files may have further
    bytes after their end.
    """
    try:
        if head.startswith(b"\x89PNG\r\n\x1a\n"):
            return b"IEND\xaeB`\x82" in tail
        if head.startswith(b"\xff\xd8\xff"):
            end = tail.rfind(b"\xff\xd9")
            return end >= 0 and size - len(tail) + end > _scan(read_at, head)
        if head.startswith((b"GIF87a", b"GIF89a")):
            return tail.rstrip(b"\0").endswith(b";") and b"\0;" in tail
        if head.startswith(b"BM"):
            return bool(54 < struct.unpack_from("<I", head, 2)[0] <= size)
        if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
            return bool(struct.unpack_from("<I", head, 4)[0] + 8 <= size)
        if head.startswith((b"II*\0", b"MM\0*")):
            return _plain_tiff(read_at, "<" if head.startswith(b"I") else ">", size)
    except (struct.error, ValueError):
        pass
    return False


def _scan(read_at: ReadAt, head: bytes) -> int:
    """The offset of the first scan of a JPEG. The part before it may contain a thumbnail with its own end marker."""
    offset = 2
    while True:
        here = head[offset : offset + 4]
        if len(here) < 4:
            here = read_at(offset, 4)
        lead, kind, length = struct.unpack(">BBH", here)
        if lead != 0xFF or length < 2:
            raise ValueError("no segment")
        if kind == 0xDA:
            return offset
        offset += 1 if kind == 0xFF else 2 + length


_LAYOUT = {1: "B", 3: "H", 4: "I"}  # of the TIFF types BYTE, SHORT and LONG
_BITS, _OFFSETS, _COUNTS, _FORMAT = 258, (273, 324), (279, 325), 339


def _plain_tiff(read_at: ReadAt, order: str, size: int) -> bool:
    """Whether a TIFF has a single page of integers of at most 16 bits, with all strips or tiles inside the file."""

    def read(offset: int, layout: str) -> tuple[int, ...]:
        return struct.unpack(order + layout, read_at(offset, struct.calcsize(order + layout)))

    (directory,) = read(4, "I")
    (entries,) = read(directory, "H")
    values: dict[int, tuple[int, ...]] = {}
    for i in range(entries):
        offset = directory + 2 + 12 * i
        tag, kind, count = read(offset, "HHI")
        if tag in (_BITS, _FORMAT, *_OFFSETS, *_COUNTS) and kind in _LAYOUT:
            if count > size:
                return False
            place = offset + 8 if count * struct.calcsize(_LAYOUT[kind]) <= 4 else read(offset + 8, "I")[0]
            values[tag] = read(place, f"{count}{_LAYOUT[kind]}")
    (another,) = read(directory + 2 + 12 * entries, "I")
    parts = [
        start + length
        for where, many in zip(_OFFSETS, _COUNTS, strict=True)
        for start, length in zip(values.get(where, ()), values.get(many, ()), strict=True)
    ]
    plain = max(values.get(_BITS, (1,))) <= 16 and max(values.get(_FORMAT, (1,))) == 1
    return another == 0 and plain and bool(parts) and max(parts) <= size
