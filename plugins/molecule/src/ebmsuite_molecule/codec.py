"""The codec ``molecule/strings``: SMILES files to rows of tokens, and back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import write_csv, write_text
from ebmsuite.space import Batch
from ebmsuite_molecule import selfies_words, tokens, workers
from ebmsuite_molecule.chemistry import Property
from ebmsuite_molecule.drawing import write_grid
from ebmsuite_molecule.lines import WRONG_COLUMN, bad_lines, canonical_forms, complaint, lines_of, short, wrong_column
from ebmsuite_molecule.tokens import END, FIRST, Encoded, Tokeniser

__all__ = ["CUT", "Strings", "Unfit", "padded", "truncated"]

log = logging.getLogger("ebmsuite")

CUT = "…"
"""The mark at the end of a decoded string whose row has no end. No SMILES has this character, so that a string which
was cut off is no molecule anywhere: in no metric, picture, task or file."""

_TEXTS, _PICTURES = (".smi", ".txt", ".csv"), (".png", ".svg")


class Unfit(NamedTuple):
    """Why a string is no row of a codec: which kind of reason, and the reason itself."""

    kind: Literal["selfies", "symbol", "length"]
    why: str


@dataclass(frozen=True)
class Strings:
    """Molecules as rows of tokens: int64 [B, L], 0 padding, 1 the end of each row, from 2 on the vocabulary.

    ``longest`` is the most tokens of a row, its end included. ``properties`` are the columns of the condition, if
    the data have one, with their ``means`` and ``sds`` in the training set: a column is (value - mean) / sd.
    """

    name: ClassVar[str] = "molecule/strings"

    tokeniser: Tokeniser
    vocabulary: tuple[str, ...]
    longest: int
    properties: tuple[Property, ...] = ()
    means: tuple[float, ...] = ()
    sds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.properties) == len(self.means) == len(self.sds):
            raise RecipeError(f"properties: {self.properties} need a mean and a standard deviation each")

    @property
    def classes(self) -> int:
        """Number of tokens, padding and end counted."""
        return len(self.vocabulary) + FIRST

    # -- strings and tokens ----------------------------------------------------------------------------------

    def encode(self, strings: Sequence[str]) -> Tensor:
        """SMILES as rows of tokens, int64 [B, L].

        `DataError` gives the number, from 1, of the first string that has a symbol the vocabulary lacks, or more
        than ``longest`` tokens, and says which symbol.
        """
        encoded, bad = self.encoded(strings)
        for i, unfit in sorted(bad.items()):
            raise DataError(f"string {i + 1} of {len(strings)}, {short(strings[i])}: {unfit.why}")
        return padded(torch.from_numpy(encoded.flat), torch.from_numpy(encoded.starts), torch.arange(len(strings)))

    def encoded(self, strings: Sequence[str]) -> tuple[Encoded, dict[int, Unfit]]:
        """All strings as one array of tokens, and why some of them, by number, are no rows of this codec."""
        written: Sequence[str] = strings
        bad: dict[int, Unfit] = {}
        if self.tokeniser == "selfies":
            selfies_words.library()
            written = workers.each("selfies", strings, remember=len(strings) > 10_000)
            unwritten = Unfit("selfies", "it cannot be written as SELFIES")
            bad = {i: unwritten for i, s in enumerate(written) if not s and strings[i]}
        encoded = tokens.encode(self.tokeniser, self.vocabulary, written)
        for i, symbol in encoded.unknown.items():
            bad[i] = Unfit("symbol", f'the symbol "{symbol}" is not in the vocabulary')
        lengths = np.diff(encoded.starts)
        for i in np.flatnonzero(lengths > self.longest).tolist():
            bad.setdefault(i, Unfit("length", f"{lengths[i]} tokens with the end, the most are {self.longest}"))
        return encoded, bad

    def decode(self, x: Tensor) -> list[str]:
        """The SMILES of rows of tokens [B, L], each up to its end; a row without an end is marked with `CUT`."""
        symbols = ("", "", *self.vocabulary)
        strings = []
        for row in x.detach().to("cpu").tolist():
            until = _until(row)
            string = "".join(map(symbols.__getitem__, row[:until]))
            if self.tokeniser == "selfies":
                string = selfies_words.decode(string)
            strings.append(string if until < len(row) and row[until] == END else string + CUT)
        return strings

    # -- files -----------------------------------------------------------------------------------------------

    def read(self, path: Path) -> Batch:
        """The molecules of a file: x int64 [N, L], index 0..N-1.

        One per line of a .smi, .txt, .csv or .tsv file, each also as .gz; `ebmsuite_molecule.lines` says which column
        is read. `DataError` lists the first lines that are no molecule or have a symbol that the vocabulary lacks, and
        says how many there are.
        """
        table = lines_of(path)
        strings = table.smiles
        bad = bad_lines(table, canonical_forms(table))
        mend = WRONG_COLUMN if wrong_column(table, len(bad)) else "Correct or remove them"
        encoded, unfit = self.encoded(strings)
        for i, (_, why) in unfit.items():
            bad.setdefault(table.numbers[i], f"{short(strings[i])}: {why}")
        if bad:
            raise DataError(complaint(table, bad, mend))
        flat, starts = torch.from_numpy(encoded.flat), torch.from_numpy(encoded.starts)
        index = torch.arange(len(strings))
        return Batch(padded(flat, starts, index), index=index)

    def write(self, x: Tensor, path: Path) -> None:
        """Write rows of tokens [N, L] as SMILES, one per line (.smi, .txt, .csv with a heading), or as a picture.

        .png and .svg are a grid of the molecules. Strings that are no molecules are written as they are, and leave
        their place in a picture empty. Strings that were cut off end in `CUT`; a warning says how many there are.
        """
        self.write_strings(self.decode(x), path)

    def write_strings(self, strings: Sequence[str], path: Path) -> None:
        """`write`, of SMILES."""
        path, ending = Path(path), Path(path).suffix.lower()
        if ending in _PICTURES:
            write_grid(strings, path)
        elif ending == ".csv":
            write_csv(path, ["smiles"], ([s] for s in strings))
        elif ending in _TEXTS:
            write_text(path, "".join(f"{s}\n" for s in strings))
        else:
            known = ", ".join((*_TEXTS, *_PICTURES))
            raise DataError(f'{path}: molecules are not written as "{path.suffix}", but as {known}')
        if cut := truncated(strings):
            log.warning(
                "%s: %d of %d strings were cut off before their end; they end in %s and are no molecules",
                path, cut, len(strings), CUT,
            )  # fmt: skip


def padded(flat: Tensor, starts: Tensor, index: Tensor) -> Tensor:
    """Rows ``index`` [B] of the strings ``flat[starts[i]:starts[i + 1]]``: int64 [B, L], 0 after the end of each."""
    first, last = starts[index], starts[index + 1]
    longest = int((last - first).max()) if len(index) else 0
    at = first[:, None] + torch.arange(longest)
    inside = at < last[:, None]
    return torch.where(inside, flat[at.clamp(max=len(flat) - 1)].long(), 0)


def truncated(strings: Sequence[str]) -> int:
    """How many decoded strings were cut off before their end."""
    return sum(s.endswith(CUT) for s in strings)


def _until(row: list[int]) -> int:
    return next((i for i, token in enumerate(row) if token < FIRST), len(row))
