"""The data set ``molecule/smiles-file``: a user's own molecules."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import find
from ebmsuite_molecule.chemistry import Property
from ebmsuite_molecule.data.molecules import SPLITS, Molecules, View, of_source
from ebmsuite_molecule.data.where import File
from ebmsuite_molecule.lines import WRONG_COLUMN, bad_lines, canonical_forms, complaint, lines_of, wrong_column
from ebmsuite_molecule.tokens import Tokeniser

__all__ = ["smiles_file"]


def smiles_file(
    path: str,
    split: Literal["train", "valid", "test"] = "train",
    tokeniser: Tokeniser = "atoms",
    properties: tuple[Property, ...] = (),
    n: int | None = None,
    view: View | None = None,
    invalid: Literal["error", "skip"] = "error",
    seed: int = 0,
    column: str | int | None = None,
) -> Molecules:
    """The molecules of a .smi, .txt, .csv or .tsv file (or .gz of it), one per line.

    ``column`` is the column of SMILES, by its heading or its number from 1; without it, the column whose heading is a
    usual one (smiles, canonical_smiles, ...), or else the first (`ebmsuite_molecule.lines`).

    A tenth is valid and a tenth test, drawn with ``seed``; lines with the same molecule, by its canonical form, belong
    to the same split, and all of them are used. Lines that are no molecule are a `DataError` with their numbers and
    reasons; with ``invalid: skip`` the others are used, and ``skipped`` names these. If nearly all lines are no
    molecules the column is the wrong one, and that is a `DataError` in either case. ``properties`` are the condition,
    standardised; ``n`` takes the first n molecules of the split.
    ``view`` adds what a graph encoder looks at.
    """
    file = File.at(find(path).absolute())
    return of_source(_Own(file, invalid, seed, column), split, tokeniser, properties, n, view)


class _Checked(NamedTuple):
    """The lines of a file that are molecules: numbers, SMILES, canonical forms. And the numbers of the others."""

    numbers: Sequence[int]
    smiles: Sequence[str]
    forms: Sequence[str]
    bad: list[int]


@dataclass(frozen=True)
class _Own:
    file: File
    invalid: Literal["error", "skip"]
    seed: int
    column: str | int | None

    def strings(self, split: str) -> Sequence[str]:
        return _cut(self, split)[1]

    def name(self, split: str, number: int) -> str:
        return f"line {_cut(self, split)[0][number]}"

    def note(self, split: str) -> str:
        return ""

    def skipped(self) -> Mapping[str, Sequence[str]]:
        bad = self.checked().bad
        return {"that are no molecules": [f"line {number}" for number in bad]} if bad else {}

    def checked(self) -> _Checked:
        return _checked(replace(self, seed=0))


@functools.lru_cache(maxsize=8)
def _cut(own: _Own, split: str) -> tuple[list[int], list[str]]:
    """Numbers and SMILES of the lines of a split, in the order of the draw."""
    if split not in SPLITS:
        raise RecipeError(f'split: "{split}" is not one of {", ".join(SPLITS)}')
    numbers, smiles, forms, _ = own.checked()
    which: dict[str, int] = {}  # canonical form -> number of the molecule, in the order of the file
    molecule = np.array([which.setdefault(form, len(which)) for form in forms])
    n = len(which)
    if n < 3:
        raise DataError(f"{own.file.path}: {n} different molecules cannot be cut into three splits")
    held = max(1, n // 10)
    place = np.argsort(np.random.RandomState(own.seed).permutation(n))[molecule]
    first, last = {"valid": (0, held), "test": (held, 2 * held), "train": (2 * held, n)}[split]
    order = np.argsort(place, kind="stable")
    chosen = order[(first <= place[order]) & (place[order] < last)].tolist()
    return [numbers[i] for i in chosen], [smiles[i] for i in chosen]


@functools.lru_cache(maxsize=4)
def _checked(own: _Own) -> _Checked:
    table = lines_of(own.file.path, own.column)
    forms = canonical_forms(table)
    if all(forms):
        return _Checked(table.numbers, table.smiles, forms, [])
    good = [i for i, form in enumerate(forms) if form]
    bad = [number for number, form in zip(table.numbers, forms, strict=True) if not form]
    wrong = wrong_column(table, len(bad))
    if wrong or own.invalid == "error":
        mend = WRONG_COLUMN if wrong else 'Correct them, or leave them out with "invalid: skip"'
        raise DataError(complaint(table, bad_lines(table, forms), mend))
    return _Checked([table.numbers[i] for i in good], [table.smiles[i] for i in good], [forms[i] for i in good], bad)
