"""Read a user's file of molecules line by line and find its invalid lines.

A line is a row of columns. In .csv and .tsv files, commas, semicolons or tabs separate the columns, and a column may be
quoted. In .smi and .txt files, tabs separate them if the first line contains one; otherwise runs of blanks and tabs do.
A separator at the beginning of a line means that the first column is empty.

The SMILES column is the one that the caller names; otherwise the one whose heading is one of `HEADINGS`; otherwise, in
a file without a heading, the first.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ebmsuite.errors import DataError
from ebmsuite.files import read_text, rows_of
from ebmsuite.tokens import short
from ebmsuite_molecule import chemistry, selfies_words, workers

__all__ = [
    "ENDINGS",
    "HEADINGS",
    "WRONG_COLUMN",
    "Table",
    "bad_lines",
    "canonical_forms",
    "complaint",
    "lines_of",
    "wrong_column",
]

ENDINGS = (".smi", ".txt", ".csv", ".tsv")

HEADINGS = (
    "smiles",
    "isomeric_smiles",
    "isomericsmiles",
    "isosmiles",
    "canonical_smiles",
    "canonicalsmiles",
    "rdkit_smiles",
    "smile",
    "smi",
    "mol",
    "molecule",
    "structure",
    "selfies",
)
"""Names of the SMILES column, in order of preference. Case is ignored, and blanks and hyphens count as underscores.
A column ``selfies`` is read as SELFIES."""

_CERTAIN = {heading for heading in HEADINGS if heading.endswith("smiles")}
"""Names that always make the first line a heading. The other names could be a molecule's name, so they make it a
heading only if none of its cells is a valid molecule."""

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", " ": "blanks"}
_SHOWN = 5
"""Number of bad lines that a message lists."""
_NEARLY_ALL = 0.9
"""Fraction of bad lines at or above which the wrong column is the likely cause."""


@dataclass(frozen=True)
class Table:
    """The lines of a file: their numbers, from 1, and the SMILES of each.

    ``problems`` maps the index of a line without a readable SMILES to the reason. ``where`` describes the SMILES column
    for messages: 'column 2 ("smiles"), columns separated by commas'.
    """

    path: Path
    numbers: Sequence[int]
    smiles: list[str]
    problems: dict[int, str]
    where: str


def lines_of(path: Path, column: str | int | None = None) -> Table:
    """Read a .smi, .txt, .csv or .tsv file, or one of these as .gz, without its heading and final blank lines.

    ``column`` is the SMILES column, by heading or by number from 1. A blank line between others gives the empty string.
    Raises `DataError` if the file has another ending, cannot be read, has no lines or does not have the column.
    """
    path = Path(path)
    quoted = _ending(path) in (".csv", ".tsv")
    text = read_text(path, "molecules")
    separator = _separator(text, _separators(path, text, quoted), column, quoted)
    numbers, rows = _quoted(path, text, separator) if quoted else _unquoted(path, text)
    if not rows:
        raise DataError(f"{path}: no molecules in it")
    first = _cells(rows[0], separator)
    index, heading = _column(path, first, separator, column)
    if heading:
        numbers, rows = numbers[1:], rows[1:]
    if not rows:
        raise DataError(f"{path}: no molecules in it, only a heading")
    called = f' ("{heading}")' if heading else ""
    where = f"column {index + 1}{called}, columns separated by {_SEPARATORS[separator]}"
    problems: dict[int, str] = {}
    if not quoted and not heading and column is None:  # the text after a SMILES is its name
        smiles = [str(row).partition("\t")[0].partition(" ")[0].rstrip("\r") for row in rows]
    else:
        smiles = []
        for i, row in enumerate(rows):
            cells = _cells(row, separator)
            smiles.append(cells[index] if index < len(cells) else "")
            if index > 0 and len(cells) > len(first):  # an extra separator shifts the columns after it
                problems[i] = f"{len(cells)} columns, the first line has {len(first)}"
    if _plain(heading) == "selfies":
        words, smiles = smiles, [_of_selfies(cell) for cell in smiles]
        problems |= {i: f"{short(words[i])}: no SELFIES" for i, s in enumerate(smiles) if not s and i not in problems}
    for i in problems:
        smiles[i] = ""
    return Table(path, numbers, smiles, problems, where)


def bad_lines(table: Table, forms: Sequence[str]) -> dict[int, str]:
    """Map the numbers of the invalid lines to reasons; ``forms`` are the canonical SMILES of all lines, "" if invalid.

    Only the first ones, which `complaint` shows, get a reason, because RDKit must parse the string again to find it.
    """
    bad = [i for i, form in enumerate(forms) if not form]
    found = {table.numbers[i]: "" for i in bad}
    for i in bad[:_SHOWN]:
        smiles = table.smiles[i]
        found[table.numbers[i]] = table.problems.get(i) or f"{short(smiles)}: {chemistry.reason(smiles)}"
    return found


def canonical_forms(table: Table) -> list[str]:
    """Return the canonical SMILES of every line, "" if invalid. Cached, because RDKit takes 0.2 ms per line."""
    found: list[str] = workers.each("canonical", table.smiles, remember=True)
    return found


WRONG_COLUMN = (
    "If this is the wrong column, call the right one smiles in the first line, or name it "
    '(data set molecule/smiles-file: "column", a heading or a number)'
)
"""Advice for a file in which nearly all lines are bad."""


def complaint(table: Table, bad: dict[int, str], mend: str) -> str:
    """Build the error message on bad lines: their number, the first of them, the column and the advice ``mend``."""
    shown = "; ".join(f"line {number}, {bad[number]}" for number in sorted(bad)[:_SHOWN])
    more = f"; and {len(bad) - _SHOWN:,} more" if len(bad) > _SHOWN else ""
    said = f"{table.path}: {len(bad):,} of {len(table.smiles):,} lines are no molecules of this model: {shown}{more}"
    return f"{said}. They were read from {table.where}. {mend}"


def wrong_column(table: Table, bad: int) -> bool:
    """Return whether the number of ``bad`` lines is so high that the column probably does not contain SMILES."""
    return bad >= _NEARLY_ALL * len(table.smiles)


# -- text ----------------------------------------------------------------------------------------------------


def _ending(path: Path) -> str:
    endings = [s.lower() for s in path.suffixes[-2:]]
    ending = endings[0] if endings[-1:] == [".gz"] and len(endings) == 2 else (endings or [""])[-1]
    if path.is_file() and ending not in ENDINGS:
        known = ", ".join(ENDINGS)
        raise DataError(
            f'{path}: molecules are not read from "{path.suffix}" files, but from {known}, each also as .gz'
        )
    return ending


# -- columns -------------------------------------------------------------------------------------------------


def _unquoted(path: Path, text: str) -> tuple[Sequence[int], Sequence[str | list[str]]]:
    """Return the numbers and the text of the lines of a .smi or .txt file."""
    lines = rows_of(text)
    if "\r" in text:
        for number, line in enumerate(lines, 1):
            if "\r" in line.rstrip("\r"):
                raise DataError(f"{path}, line {number}: a carriage return inside; end every line in a line feed")
    return range(1, len(lines) + 1), lines


def _quoted(path: Path, text: str, separator: str) -> tuple[Sequence[int], Sequence[str | list[str]]]:
    """Return line numbers and cells of the rows of a .csv or .tsv file. The cells have no surrounding blanks."""
    reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    numbers = [1]
    try:
        for cells in reader:
            rows.append([cell.strip(" \t") for cell in cells])
            numbers.append(reader.line_num + 1)
    except csv.Error as error:
        by = _SEPARATORS[separator]
        raise DataError(
            f"{path}, line {numbers[-1]}: no row of a .csv file, columns separated by {by} ({error})"
        ) from error
    while rows and not any(rows[-1]):
        rows.pop()
    return numbers[: len(rows)], rows


def _cells(row: str | list[str], separator: str) -> list[str]:
    if isinstance(row, list):
        return row
    row = row.rstrip(" \t\r")
    return [cell.rstrip(" ") for cell in row.split("\t")] if separator == "\t" else re.split("[ \t]+", row)


def _separators(path: Path, text: str, quoted: bool) -> list[str]:
    """Return the possible column separators of a file, the most likely first."""
    if quoted:
        return [",", ";", "\t"] if _ending(path) == ".csv" else ["\t", ",", ";"]
    return ["\t"] if "\t" in text.partition("\n")[0].strip() else [" "]


def _separator(text: str, separators: Sequence[str], column: str | int | None, quoted: bool) -> str:
    """Return the first separator for which the first line has the SMILES column; if none fits, the first of all."""
    firsts = {s: _first(text, s, quoted) for s in separators}
    for separator, cells in firsts.items():
        if (_named(cells, column) if isinstance(column, str) else _heading(cells)) is not None:
            return separator
    for separator, cells in firsts.items():
        index = column - 1 if isinstance(column, int) else 0
        if len(cells) > max(index, 1) and chemistry.parse(cells[index]) is not None:
            return separator
    return separators[0]


def _first(text: str, separator: str, quoted: bool) -> list[str]:
    line = text.partition("\n")[0]
    if not quoted:
        return _cells(line, separator)
    try:
        return [cell.strip(" \t") for cell in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:
        return []


def _column(path: Path, cells: list[str], separator: str, column: str | int | None) -> tuple[int, str]:
    """Return the index, from 0, of the SMILES column and its heading, which is empty in a file without a heading."""
    by = _SEPARATORS[separator]
    found = _heading(cells)
    if isinstance(column, int):
        if column < 1 or column > len(cells):
            raise DataError(f"{path}: no column {column}: the first line has {len(cells)}, separated by {by}")
        return column - 1, cells[column - 1] if found is not None else ""
    if isinstance(column, str):
        found = _named(cells, column)
        if found is None:
            there = ", ".join(cells[:20])
            raise DataError(f'{path}: no column "{column}"; the first line, separated by {by}, has: {there}')
    if found is None:
        return 0, ""
    twice = [i for i, cell in enumerate(cells) if _plain(cell) == _plain(cells[found])]
    if len(twice) > 1:
        numbers = " and ".join(str(i + 1) for i in twice)
        raise DataError(f'{path}: the columns {numbers} are both called "{cells[found]}"; keep one, or give its number')
    return found, cells[found]


def _heading(cells: list[str]) -> int | None:
    """Return the index of the SMILES column if these cells are a heading, else None."""
    words = [_plain(cell) for cell in cells]
    found = next((words.index(heading) for heading in HEADINGS if heading in words), None)
    if found is None or _CERTAIN & {*words}:
        return found
    return None if any(chemistry.parse(cell) is not None for cell in cells) else found


def _named(cells: Iterable[str], column: str) -> int | None:
    return next((i for i, cell in enumerate(cells) if _plain(cell) == _plain(column)), None)


def _plain(heading: str) -> str:
    return re.sub(r"[\s-]+", "_", heading.strip().lower())


def _of_selfies(cell: str) -> str:
    return selfies_words.decode(cell) if cell.startswith("[") else ""
