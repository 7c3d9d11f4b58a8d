"""Locations of the public data sets on this machine.

``EBMSUITE_DATA`` names a folder with these files, which have one SMILES per line::

    molecule/zinc250k.train.smi.gz   molecule/zinc250k.valid.smi.gz   molecule/zinc250k.test.smi.gz
    molecule/moses.train.smi.gz      molecule/moses.test.smi.gz       molecule/moses.test_scaffolds.smi.gz
    molecule/qm9.smi.gz
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

from ebmsuite import files
from ebmsuite.errors import DataError, MissingData
from ebmsuite.files import data_folder, read_text, rows_of

__all__ = ["File", "missing", "public_file", "strings_of"]


class File(NamedTuple):
    """A file and its modification time in nanoseconds: a cache key that expires when the file changes."""

    path: Path
    changed: int

    @classmethod
    def of(cls, path: Path) -> File:
        return cls(path, path.stat().st_mtime_ns)


def public_file(name: str) -> File | None:
    """Return the file molecule/NAME in EBMSUITE_DATA, or None. Raises `DataError` if EBMSUITE_DATA is not a folder."""
    folder = data_folder()
    path = None if folder is None else folder / "molecule" / name
    return File.of(path) if path is not None and path.is_file() else None


def missing(name: str, dataset: str) -> MissingData:
    """Return the error that says where to put a missing file."""
    return files.missing(dataset, f"molecule/{name}, one SMILES per line,")


@functools.lru_cache(maxsize=8)
def strings_of(file: File) -> tuple[str, ...]:
    """Return the lines of a .gz file; cached. Raises `DataError` if it is unreadable or a line is not a single word."""
    lines = rows_of(read_text(file.path, "molecules", "ascii"))
    whole = "".join(lines)
    if "" in lines or whole.split() != [whole]:
        number, line = next((i, line) for i, line in enumerate(lines, 1) if line.split() != [line])
        raise DataError(f"{file.path}, line {number}: {line[:60]!r} is not one SMILES; get the file again")
    return tuple(lines)
