"""ZINC250k: the full data set if EBMSUITE_DATA has it, else the part that comes with the package."""

from __future__ import annotations

import functools
import importlib.resources
import lzma
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import rows_of
from ebmsuite_molecule.chemistry import Property
from ebmsuite_molecule.data.molecules import SPLITS, Molecules, Public, View, of_source
from ebmsuite_molecule.data.where import File, public_file, strings_of
from ebmsuite_molecule.tokens import Tokeniser

__all__ = ["zinc250k"]

SIZES = {"train": 220_010, "valid": 24_445, "test": 5_000}
_WORDS = {"train": "training", "valid": "validation", "test": "test"}


def zinc250k(
    split: Literal["train", "valid", "test"] = "train",
    tokeniser: Tokeniser = "atoms",
    properties: tuple[Property, ...] = (),
    n: int | None = None,
    view: View | None = None,
    embedded: bool = False,
) -> Molecules:
    """ZINC250k: drug-like molecules, at most 38 heavy atoms; 220,010 train, 24,445 valid, 5,000 test.

    With ``embedded``, or if EBMSUITE_DATA has no molecule/zinc250k.*, the splits are the 50,000 / 5,000 / 5,000
    molecules that come with the package. Raises `DataError` if EBMSUITE_DATA has only some of the three files. 98% of
    the SMILES are in RDKit's canonical form. The standardised ``properties`` are the condition. ``n`` takes the first n
    molecules of the split. ``view`` adds the input of a graph encoder.
    """
    source = _Zinc(() if embedded else _files())
    return of_source(source, split, tokeniser, properties, n, view)


@dataclass(frozen=True)
class _Zinc(Public):
    files: tuple[File, ...]
    """The files of train, valid and test; empty for the embedded part."""

    def strings(self, split: str) -> Sequence[str]:
        if split not in SPLITS:
            raise RecipeError(f'split: "{split}" is not one of {", ".join(SPLITS)}')
        part = SPLITS.index(split)
        return strings_of(self.files[part]) if self.files else _embedded()[part]

    def note(self, split: str) -> str:
        found, whole = len(self.strings(split)), SIZES[split]
        return f"{found:,} of {whole:,} {_WORDS[split]} molecules" if found < whole else ""


def _files() -> tuple[File, ...]:
    """Return the files of train, valid and test; empty if none of them exists."""
    found = {name: public_file(name) for name in (f"zinc250k.{part}.smi.gz" for part in SPLITS)}
    files = tuple(file for file in found.values() if file is not None)
    if files and len(files) < len(SPLITS):
        lacking = ", ".join(name for name, file in found.items() if file is None)
        raise DataError(
            f"{files[0].path.parent}: of the three files of zinc250k, {lacking} is not there; add it, or ask for the "
            'part that comes with the package by "embedded: true"'
        )
    return files


@functools.cache
def _embedded() -> list[list[str]]:
    """Return the strings of train, valid and test that come with the package."""
    # tools/make_zinc.py writes this file
    content = importlib.resources.files(__package__).joinpath("zinc250k.txt.xz").read_bytes()
    return [rows_of(part) for part in lzma.decompress(content).decode("ascii").split("\n\n")]
