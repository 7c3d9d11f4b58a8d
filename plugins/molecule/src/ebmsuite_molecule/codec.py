"""The codec ``molecule/strings``: converts SMILES files to rows of tokens and back."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import write_csv, write_text
from ebmsuite.space import Batch
from ebmsuite.tokens import CUT, TokenCodec, Unfit, short
from ebmsuite_molecule import selfies_words, tokens, workers
from ebmsuite_molecule.chemistry import Property
from ebmsuite_molecule.drawing import pixels, write_grid
from ebmsuite_molecule.lines import WRONG_COLUMN, bad_lines, canonical_forms, complaint, lines_of, wrong_column
from ebmsuite_molecule.tokens import Encoded, Tokeniser

__all__ = ["Strings", "truncated"]

log = logging.getLogger("ebmsuite")

_TEXTS, _PICTURES = (".smi", ".txt", ".csv"), (".png", ".svg")


@dataclass(frozen=True)
class Strings(TokenCodec):
    """Codec for molecules as rows of tokens, int64 [B, L]: 0 is padding, 1 ends a row, 2 and above are the vocabulary.

    ``longest`` is the maximum number of tokens of a row, including its end token. ``properties`` are the columns of the
    condition, if the data have one, with their ``means`` and ``sds`` in the training set: a column contains
    (value - mean) / sd.

    Decoding marks a row without an end token with `ebmsuite.tokens.CUT`. No SMILES contains this character, so every
    metric, picture, task and file treats such a string as invalid.
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
        """Encode SMILES as rows of tokens; also return, by index, why this codec cannot represent some of them.

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
        """Read the molecules of a file: x int64 [N, L], index 0..N-1.

        The file has one molecule per line and is .smi, .txt, .csv or .tsv, or one of these as .gz.
        `ebmsuite_molecule.lines` documents which column is read. Raises `DataError` if lines are not valid molecules or
        this codec cannot represent them; the message lists the first of these lines and their number.
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

    def write(self, x: Tensor, path: Path, batch: Batch | None = None) -> None:
        """Write rows of tokens [N, L] as SMILES, one per line (.smi, .txt, .csv with a heading), or as a picture.

        .png and .svg files show a grid of the molecules. Invalid strings are written unchanged to text files; a picture
        shows a note in their cell. Strings that were cut off end in `CUT`; a warning states how many there are. A .csv
        has a further column for each entry of the ``meta`` of ``batch``.
        """
        self.write_strings(self.decode(x), path, None if batch is None else batch.meta)

    def show(self, x: Tensor, batch: Batch | None = None) -> Tensor:
        """Draw rows of tokens [N, L] as structural formulas: uint8 [N, H, W, 3] (`ebmsuite_molecule.drawing.CELL`)."""
        return torch.from_numpy(pixels(self.decode(x)))

    def write_strings(self, strings: Sequence[str], path: Path, meta: Mapping[str, Any] | None = None) -> None:
        """Write SMILES in the same formats as `write`. ``meta`` holds an array per further column."""
        path, ending = Path(path), Path(path).suffix.lower()
        if ending in _PICTURES:
            write_grid(strings, path)
        elif ending == ".csv":
            columns = {name: values.tolist() for name, values in (meta or {}).items()}
            write_csv(path, ["smiles", *columns], zip(strings, *columns.values(), strict=True))
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
    """Count the decoded strings that were cut off before their end. Only such strings end in `CUT`."""
    return sum(s.endswith(CUT) for s in strings)
