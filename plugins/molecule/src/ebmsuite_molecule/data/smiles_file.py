"""The data set ``molecule/smiles-file``: a user's own molecules."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import find
from ebmsuite_molecule import workers
from ebmsuite_molecule.chemistry import Property
from ebmsuite_molecule.codec import bad_lines, complaint, lines_of
from ebmsuite_molecule.data.molecules import SPLITS, Molecules, View, of_source
from ebmsuite_molecule.data.where import File
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
) -> Molecules:
    """The molecules of a .smi, .txt or .csv file (or .gz of it): one a line, the first column a SMILES.

    A tenth is valid and a tenth test, drawn with ``seed``; lines that are the same molecule, by its canonical form,
    come into the same split. Lines that are no molecule are a `DataError` with their numbers and reasons; with
    ``invalid: skip`` the others are used, and the note says the same of these. ``properties`` are the condition,
    standardised; ``n`` takes the first n molecules of the split.
    ``view`` adds what a graph encoder looks at.
    """
    file = File.at(find(path).absolute())
    return of_source(_Own(file, invalid, seed), split, tokeniser, properties, n, view)


@dataclass(frozen=True)
class _Own:
    file: File
    invalid: Literal["error", "skip"]
    seed: int

    def strings(self, split: str) -> Sequence[str]:
        if split not in SPLITS:
            raise RecipeError(f'split: "{split}" is not one of {", ".join(SPLITS)}')
        lines, _ = self._read()
        forms = [form for _, form in lines]
        distinct = list(dict.fromkeys(forms))
        held = max(1, len(distinct) // 10)
        if len(distinct) < 3:
            raise DataError(f"{self.file.path}: {len(distinct)} different molecules cannot be cut into three splits")
        order = np.random.RandomState(self.seed).permutation(len(distinct)).tolist()
        place = {distinct[i]: rank for rank, i in enumerate(order)}
        first, last = {"valid": (0, held), "test": (held, 2 * held), "train": (2 * held, len(distinct))}[split]
        chosen = [(place[form], smiles) for smiles, form in lines if first <= place[form] < last]
        return [smiles for _, smiles in sorted(chosen, key=lambda pair: pair[0])]

    def note(self, split: str) -> str:
        return self._read()[1]

    def _read(self) -> tuple[list[tuple[str, str]], str]:
        return _checked(replace(self, seed=0))


@functools.lru_cache(maxsize=4)
def _checked(own: _Own) -> tuple[list[tuple[str, str]], str]:
    """(SMILES, canonical form) of every line that is a molecule, and what there is to say of the others."""
    lines = lines_of(own.file.path)
    bad = bad_lines(lines)
    note = complaint(own.file.path, bad, len(lines)) if bad else ""
    if bad and own.invalid == "error":
        raise DataError(f'{note}. Mend them, or leave them out with "invalid: skip"')
    good = [line.smiles for line in lines if line.number not in bad]
    return list(zip(good, workers.each("canonical", good, remember=True), strict=True)), note
