"""The public data sets MOSES and QM9, read from the folder EBMSUITE_DATA (see `ebmsuite_molecule.data.where`)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ebmsuite.errors import RecipeError
from ebmsuite_molecule.chemistry import Property
from ebmsuite_molecule.data.molecules import SPLITS, Molecules, Public, View, of_source
from ebmsuite_molecule.data.where import File, missing, public_file, strings_of
from ebmsuite_molecule.tokens import Tokeniser

__all__ = ["moses", "qm9"]

SEED = 20261125
MOSES_VALID = 10_000
QM9_VALID, QM9_TEST = 10_000, 10_000

_MOSES = ("train", "test", "test_scaffolds")


def moses(
    split: Literal["train", "valid", "test", "test_scaffolds"] = "train",
    tokeniser: Tokeniser = "atoms",
    properties: tuple[Property, ...] = (),
    n: int | None = None,
    view: View | None = None,
) -> Molecules:
    """MOSES: 1,574,663 train, 10,000 valid, 176,074 test and 176,225 test_scaffolds molecules.

    The scaffolds of test_scaffolds do not occur in train. The source has no valid split; it is drawn from the source's
    1,584,663 training molecules with a fixed seed. SMILES are canonical, without charges and stereochemistry. The
    standardised ``properties`` are the condition. ``n`` takes the first n molecules of the split. ``view`` adds the
    input of a graph encoder.
    """
    files = tuple(public_file(f"moses.{part}.smi.gz") for part in _MOSES)
    return of_source(_Moses(files), split, tokeniser, properties, n, view)


def qm9(
    split: Literal["train", "valid", "test"] = "train",
    tokeniser: Tokeniser = "atoms",
    properties: tuple[Property, ...] = (),
    n: int | None = None,
    view: View | None = None,
) -> Molecules:
    """QM9: molecules of at most 9 heavy atoms (C, N, O, F); 113,885 train, 10,000 valid, 10,000 test.

    The source has no splits; they are drawn with a fixed seed. Its SMILES are not in RDKit's canonical form. The
    standardised ``properties`` are the condition. ``n`` takes the first n molecules of the split. ``view`` adds the
    input of a graph encoder.
    """
    file = public_file("qm9.smi.gz")
    if file is None:
        raise missing("qm9.smi.gz", "molecule/qm9")
    return of_source(_Qm9(file), split, tokeniser, properties, n, view)


@dataclass(frozen=True)
class _Moses(Public):
    files: tuple[File | None, ...]
    """In the order of `_MOSES`."""

    def strings(self, split: str) -> Sequence[str]:
        if split not in (*SPLITS, "test_scaffolds"):
            raise RecipeError(f'split: "{split}" is not one of {", ".join(SPLITS)}, test_scaffolds')
        part = "train" if split == "valid" else split
        file = self.files[_MOSES.index(part)]
        if file is None:
            raise missing(f"moses.{part}.smi.gz", "molecule/moses")
        return _carved(file)[split] if part == "train" else strings_of(file)


@dataclass(frozen=True)
class _Qm9(Public):
    file: File

    def strings(self, split: str) -> Sequence[str]:
        if split not in SPLITS:
            raise RecipeError(f'split: "{split}" is not one of {", ".join(SPLITS)}')
        strings = strings_of(self.file)
        # the source is sorted by size; shuffle it so that the first n molecules are representative
        order = np.random.RandomState(SEED).permutation(len(strings)).tolist()
        valid, test = min(QM9_VALID, len(order) // 10), min(QM9_TEST, len(order) // 10)
        cut = {"valid": order[:valid], "test": order[valid : valid + test], "train": order[valid + test :]}
        return [strings[i] for i in cut[split]]


@functools.lru_cache(maxsize=1)
def _carved(file: File) -> dict[str, list[str]]:
    """Split the source's training strings into "train" and a randomly drawn "valid", both in the source's order."""
    strings = strings_of(file)
    valid = min(MOSES_VALID, len(strings) // 10)
    drawn = np.zeros(len(strings), bool)
    drawn[np.random.RandomState(SEED).permutation(len(strings))[:valid]] = True
    parts: dict[str, list[str]] = {"train": [], "valid": []}
    for string, held in zip(strings, drawn.tolist(), strict=True):
        parts["valid" if held else "train"].append(string)
    return parts
