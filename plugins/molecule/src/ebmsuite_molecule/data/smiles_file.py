"""The data set ``molecule/smiles-file``: molecules from a user's file."""

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
    """The molecules of a .smi, .txt, .csv or .tsv file, or one of these as .gz, one per line.

    ``column`` is the SMILES column, by heading or by number from 1. The default is the column with a common heading
    (smiles, canonical_smiles, ...), or else the first (`ebmsuite_molecule.lines`).

    The valid and test splits each get a tenth of the molecules, drawn with ``seed``. Lines with the same canonical form
    belong to the same split, and all of them are used. Invalid lines raise `DataError` with line numbers and reasons;
    with ``invalid: skip``, they are left out and ``skipped`` names them. If nearly all lines are invalid, the column is
    probably wrong, and `DataError` is raised in either case. The standardised ``properties`` are the condition. ``n``
    takes the first n molecules of the split. ``view`` adds the input of a graph encoder.
    """
    file = File.of(find(path).absolute())
    return of_source(_Own(file, invalid, seed, column), split, tokeniser, properties, n, view)


class _Checked(NamedTuple):
    """Numbers, SMILES and canonical forms of the valid lines of a file, and the numbers of the invalid lines."""

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
    """Return the numbers and SMILES of the lines of a split, in random order."""
    if split not in SPLITS:
        raise RecipeError(f'split: "{split}" is not one of {", ".join(SPLITS)}')
    numbers, smiles, forms, _ = own.checked()
    which: dict[str, int] = {}  # canonical form -> index of the molecule, in the order of the file
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
