"""The codec ``molecule/strings``: SMILES files to rows of tokens, and back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import write_csv, write_text
from ebmsuite.space import Batch
from ebmsuite.tokens import CUT, TokenCodec, Unfit, short
from ebmsuite_molecule import selfies_words, tokens, workers
from ebmsuite_molecule.chemistry import Property
from ebmsuite_molecule.drawing import write_grid
from ebmsuite_molecule.lines import WRONG_COLUMN, bad_lines, canonical_forms, complaint, lines_of, wrong_column
from ebmsuite_molecule.tokens import Encoded, Tokeniser

__all__ = ["Strings", "truncated"]

log = logging.getLogger("ebmsuite")

_TEXTS, _PICTURES = (".smi", ".txt", ".csv"), (".png", ".svg")


@dataclass(frozen=True)
class Strings(TokenCodec):
    """Molecules as rows of tokens: int64 [B, L], 0 padding, 1 the end of each row, from 2 on the vocabulary.

    ``longest`` is the most tokens of a row, its end included. ``properties`` are the columns of the condition, if
    the data have one, with their ``means`` and ``sds`` in the training set: a column is (value - mean) / sd.

    A decoded row without an end is marked with `ebmsuite.tokens.CUT`. No SMILES has this character, so such a string
    is no molecule for any metric, picture, task or file.
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

    # -- strings and tokens ----------------------------------------------------------------------------------

    def encoded(self, texts: Sequence[str]) -> tuple[Encoded, dict[int, Unfit]]:
        """All SMILES as rows of tokens, and why some of them, by number, are no rows of this codec.

        The kinds of reasons are "selfies", "symbol" and "length".
        """
        written = texts
        bad: dict[int, Unfit] = {}
        if self.tokeniser == "selfies":
            selfies_words.library()
            written = workers.each("selfies", texts, remember=len(texts) > 10_000)
            unwritten = Unfit("selfies", "it cannot be written as SELFIES")
            bad = {i: unwritten for i, s in enumerate(written) if not s and texts[i]}
        encoded = tokens.encode(self.tokeniser, self.vocabulary, written)
        for i, symbol in encoded.unknown.items():
            bad[i] = Unfit("symbol", f'the symbol "{symbol}" is not in the vocabulary')
        return encoded, self.too_long(encoded) | bad

    def text(self, tokens: Sequence[int]) -> str:
        string = super().text(tokens)
        return selfies_words.decode(string) if self.tokeniser == "selfies" else string

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
        return Batch(encoded.padded(), index=torch.arange(len(strings)))

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


def truncated(strings: Sequence[str]) -> int:
    """How many decoded strings were cut off before their end: no SMILES ends in `CUT` by itself."""
    return sum(s.endswith(CUT) for s in strings)
