"""The codec ``molecule/strings``: SMILES files to rows of tokens, and back."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import write_csv, write_text
from ebmsuite.space import Batch
from ebmsuite_molecule import chemistry, selfies_words, tokens, workers
from ebmsuite_molecule.chemistry import Property
from ebmsuite_molecule.drawing import write_grid
from ebmsuite_molecule.tokens import FIRST, Encoded, Tokeniser

__all__ = ["Line", "Strings", "bad_lines", "complaint", "lines_of", "padded"]

_TEXTS, _PICTURES = (".smi", ".txt", ".csv"), (".png", ".svg")
_HEADS = {"smiles", "canonical_smiles", "smile", "smi", "selfies", "mol", "molecule"}
"""First words of a file that are a heading and no molecule."""
_SHOWN = 5
"""Bad lines that a message lists."""


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
        for i, why in sorted(bad.items()):
            raise DataError(f"string {i + 1} of {len(strings)}, {_short(strings[i])}: {why}")
        return padded(torch.from_numpy(encoded.flat), torch.from_numpy(encoded.starts), torch.arange(len(strings)))

    def encoded(self, strings: Sequence[str]) -> tuple[Encoded, dict[int, str]]:
        """All strings as one array of tokens, and why some of them, by number, are no rows of this codec."""
        written: Sequence[str] = strings
        bad: dict[int, str] = {}
        if self.tokeniser == "selfies":
            selfies_words.library()
            written = workers.each("selfies", strings, remember=len(strings) > 10_000)
            bad = {i: "it cannot be written as SELFIES" for i, s in enumerate(written) if not s and strings[i]}
        encoded = tokens.encode(self.tokeniser, self.vocabulary, written)
        bad |= {i: f'the symbol "{s}" is not in the vocabulary' for i, s in encoded.unknown.items()}
        lengths = np.diff(encoded.starts)
        for i in np.flatnonzero(lengths > self.longest).tolist():
            bad.setdefault(i, f"{lengths[i]} tokens with the end, the most are {self.longest}")
        return encoded, bad

    def decode(self, x: Tensor) -> list[str]:
        """The SMILES of rows of tokens [B, L], each up to its end (or whole, where it has none)."""
        symbols = ("", "", *self.vocabulary)
        rows = x.detach().to("cpu").tolist()
        strings = ["".join(map(symbols.__getitem__, row[: _until(row)])) for row in rows]
        return [selfies_words.decode(s) for s in strings] if self.tokeniser == "selfies" else strings

    # -- files -----------------------------------------------------------------------------------------------

    def read(self, path: Path) -> Batch:
        """The molecules of a file: x int64 [N, L], index 0..N-1.

        One a line, the first column a SMILES: .smi and .txt (columns between blanks), .csv (between commas), each
        also as .gz; a first line that is a heading is passed over. `DataError` lists the first lines that are no
        molecule or have a symbol that the vocabulary lacks, and says how many there are.
        """
        path = Path(path)
        lines = lines_of(path)
        strings = [line.smiles for line in lines]
        bad = bad_lines(lines)
        encoded, unfit = self.encoded(strings)
        bad |= {lines[i].number: why for i, why in unfit.items() if lines[i].number not in bad}
        if bad:
            raise DataError(complaint(path, bad, len(lines)))
        flat, starts = torch.from_numpy(encoded.flat), torch.from_numpy(encoded.starts)
        index = torch.arange(len(strings))
        return Batch(padded(flat, starts, index), index=index)

    def write(self, x: Tensor, path: Path) -> None:
        """Write rows of tokens [N, L] as SMILES, one a line (.smi, .txt, .csv with a heading), or as a picture.

        .png and .svg are a grid of the molecules. Strings that are no molecules are written as they are, and leave
        their place in a picture empty.
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


def padded(flat: Tensor, starts: Tensor, index: Tensor) -> Tensor:
    """Rows ``index`` [B] of the strings ``flat[starts[i]:starts[i + 1]]``: int64 [B, L], 0 after the end of each."""
    first, last = starts[index], starts[index + 1]
    longest = int((last - first).max()) if len(index) else 0
    at = first[:, None] + torch.arange(longest)
    inside = at < last[:, None]
    return torch.where(inside, flat[at.clamp(max=len(flat) - 1)].long(), 0)


def _until(row: list[int]) -> int:
    return next((i for i, token in enumerate(row) if token < FIRST), len(row))


# -- a user's lines ------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """A line of a file: its number, from 1, and its first column."""

    number: int
    smiles: str


def lines_of(path: Path) -> list[Line]:
    """The lines of a .smi, .txt or .csv file, or one of these as .gz, without a heading and blank lines at the end.

    A blank line within is the empty string. `DataError` when it is none of these, cannot be read or has no lines.
    """
    endings = [s.lower() for s in path.suffixes[-2:]]
    ending = endings[0] if endings[-1:] == [".gz"] and len(endings) == 2 else (endings or [""])[-1]
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    if ending not in _TEXTS:
        known = ", ".join(_TEXTS)
        raise DataError(
            f'{path}: molecules are not read from "{path.suffix}" files, but from {known}, each also as .gz'
        )
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if endings[-1] == ".gz" else content).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text ({error})") from error
    if ending == ".csv":
        reader = csv.reader(io.StringIO(text))
        try:
            lines = [Line(reader.line_num, row[0].strip() if row else "") for row in reader]
        except csv.Error as error:
            raise DataError(f"{path}, line {reader.line_num}: no row of a .csv file ({error})") from error
    else:
        lines = [Line(i, (line.split() or [""])[0]) for i, line in enumerate(text.splitlines(), 1)]
    while lines and not lines[-1].smiles:
        lines.pop()
    if lines and lines[0].smiles.lower() in _HEADS:
        lines.pop(0)
    if not lines:
        raise DataError(f"{path}: no molecules in it")
    return lines


def bad_lines(lines: Sequence[Line]) -> dict[int, str]:
    """Why lines, by number, are no molecule."""
    found = workers.each("canonical", [line.smiles for line in lines])
    return {
        line.number: f"{_short(line.smiles)}: {chemistry.reason(line.smiles)}"
        for line, smiles in zip(lines, found, strict=True)
        if not smiles
    }


def complaint(path: Path, bad: dict[int, str], n: int) -> str:
    """What is said of bad lines: how many of ``n`` there are, and the first of them."""
    shown = "; ".join(f"line {number}, {bad[number]}" for number in sorted(bad)[:_SHOWN])
    more = f"; and {len(bad) - _SHOWN:,} more" if len(bad) > _SHOWN else ""
    return f"{path}: {len(bad):,} of {n:,} lines are no molecules of this model: {shown}{more}"


def _short(smiles: str) -> str:
    return repr(smiles if len(smiles) <= 60 else smiles[:57] + "...")
