"""Read tables from files: csv with a header, npz with ``x`` [N, D]. Errors name file, row and column."""

from __future__ import annotations

import csv
import math
import unicodedata
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ebmsuite.errors import DataError, MissingData
from ebmsuite.files import printable

Invalid: TypeAlias = Literal["error", "skip"]
"""What to do with rows that have a non-numeric cell: raise an error, or leave them out and report them."""

Skipped: TypeAlias = Mapping[str, Sequence[str]]
"""The inputs that were left out: reason -> names. A reason is worded so that it can follow a count."""


@dataclass(frozen=True)
class RawTable:
    """The numbers of a file, in its units.

    ``values`` are float64 [N, D] in columns ``names`` [D]. ``labels`` [N] are texts, or None if no target was
    given. ``split`` [N] is 0, 1, 2 for train, valid, test, or None if the file has no splits. ``rows`` [N]
    are the row numbers in the file, from 0. ``skipped`` names the lines, rows, columns and arrays left out.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    rows: NDArray[np.int64]
    labels: NDArray[np.str_] | None = None
    split: NDArray[np.int64] | None = None
    skipped: Skipped = field(default_factory=dict)


@dataclass(frozen=True)
class Cells:
    """The texts of a csv file: ``header`` [D], ``rows`` [N][D]; ``blank`` line numbers, from 1."""

    header: list[str]
    rows: list[list[str]]
    blank: list[int]


def read_table(
    path: Path, columns: Sequence[str] | None = None, target: str | None = None, invalid: Invalid = "error"
) -> RawTable:
    """Read the table in a csv or npz file.

    ``columns`` selects columns by name, in this order; None selects all except ``target``, which gives the
    labels. Raises `DataError`, which names the file and, if known, the row (1 is the first below the header)
    and the column. With ``invalid`` "skip", rows with an empty label, or with a cell that is not a finite
    number, are left out.
    """
    read = {".csv": _read_csv, ".npz": _read_npz}.get(path.suffix.lower())
    if read is None:
        raise DataError(f'{printable(path)}: a table is a .csv or an .npz file, not "{path.suffix}"')
    columns = None if columns is None else [_same_form(name) for name in columns]
    return read(path, columns, None if target is None else _same_form(target), invalid)


def csv_cells(path: Path) -> Cells:
    """Read the texts in a csv file, without surrounding blanks and without blank lines.

    Raises `DataError` for a file without rows, a header with an empty or repeated name, a header of numbers,
    a separator other than a comma, or a row with more or fewer cells than the header.
    """
    shown, lines, blank = printable(path), [], []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            for row in reader:
                cells = [cell.strip() for cell in row]
                if len(cells) > 1 or "".join(cells):
                    lines.append(cells)
                else:
                    blank.append(reader.line_num)
            last = reader.line_num
    except FileNotFoundError as error:
        raise MissingData(f"no file {shown}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{shown}: not a readable csv file ({error}); save it as UTF-8") from error
    except (OSError, csv.Error) as error:
        raise DataError(f"{shown}: not a readable csv file ({error})") from error
    while blank and blank[-1] == last:  # blank lines at the end of the file do not count
        last = blank.pop() - 1
    if len(lines) < 2:
        raise DataError(f"{shown}: {'no rows below the header' if lines else 'the file is empty'}")
    header, rows = [_same_form(name) for name in lines[0]], lines[1:]
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if sum(cell.count(separator) for cell in header) >= len(header):
            raise DataError(
                f"{shown}: the columns are separated by {name}; separate them by commas, and write numbers "
                "with a point"
            )
    for place, name in enumerate(header):
        if not name or name in header[:place]:
            what = f'the second column "{name}"' if name else f"column {place + 1} without a name"
            raise DataError(f"{shown}: {what}; every column needs a name of its own in the first line")
    if all(_number(name) is not None for name in header):
        raise DataError(f"{shown}: the first line must name the columns, and it holds numbers")
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            hint = "; write numbers with a point, not a comma" if len(row) > len(header) else ""
            raise DataError(f"{shown}: row {number} has {len(row)} cells and the header {len(header)}{hint}")
    return Cells(header, rows, blank)


def _read_csv(path: Path, columns: Sequence[str] | None, target: str | None, invalid: Invalid) -> RawTable:
    cells = csv_cells(path)
    header, rows = cells.header, cells.rows
    names = tuple(name for name in header if name != target) if columns is None else tuple(columns)
    places = [_place(path, header, name) for name in names]
    labels = None
    if target is not None:
        place = _place(path, header, target)
        labels = np.array([row[place] for row in rows], dtype=np.str_)
    numbers = [[_number(row[place]) for place in places] for row in rows]
    values = np.array([[np.nan if n is None else n for n in row] for row in numbers], np.float64)
    skipped = {
        "blank lines": [f"line {number}" for number in cells.blank],
        "columns that are not learned": [name for name in header if name not in names and name != target],
    }
    table = RawTable(names, values, np.arange(len(rows)), labels)
    return _valid(path, table, lambda row, place: rows[row][places[place]], skipped, target, invalid)


def _read_npz(path: Path, columns: Sequence[str] | None, target: str | None, invalid: Invalid) -> RawTable:
    arrays, shown = _arrays(path), printable(path)
    x = arrays.get("x")
    if x is None or x.ndim != 2 or 0 in x.shape or x.dtype.kind not in "fiub":
        found = "none" if x is None else f"{x.dtype} {list(x.shape)}"
        raise DataError(f'{shown}: needs an array "x" of numbers [rows, columns], neither 0; found {found}')
    names = [f"x{i}" for i in range(x.shape[1])]
    if "feature_names" in arrays:
        names = [_same_form(name) for name in _texts(arrays["feature_names"].ravel())]
    if len(names) != x.shape[1] or len(set(names)) != len(names):
        raise DataError(f"{shown}: feature_names must be {x.shape[1]} different names")
    labels, split = None, None
    if target is not None:
        column = arrays[target] if target in arrays else x[:, _place(path, names, target, sorted(arrays))]
        labels = np.array(_texts(_per_row(path, target, column, len(x))), dtype=np.str_)
    if "split" in arrays:
        given = _per_row(path, "split", arrays["split"], len(x))
        if given.dtype.kind not in "iu" or not np.isin(given, (0, 1, 2)).all():
            raise DataError(f'{shown}: array "split" must be 0 (train), 1 (valid) or 2 (test) in every row')
        split = given.astype(np.int64)
    picked = tuple(name for name in names if name != target) if columns is None else tuple(columns)
    values = x[:, [_place(path, names, name) for name in picked]].astype(np.float64)
    skipped = {
        "columns that are not learned": [name for name in names if name not in picked and name != target],
        "arrays that are not read": sorted(set(arrays) - {"x", "feature_names", "split", target}),
    }
    table = RawTable(picked, values, np.arange(len(x)), labels, split)
    return _valid(path, table, lambda row, place: str(values[row, place]), skipped, target, invalid)


def _valid(
    path: Path,
    table: RawTable,
    text_of: Callable[[int, int], str],
    skipped: Skipped,
    target: str | None,
    invalid: Invalid,
) -> RawTable:
    """Return the rows of ``table`` that have a label and only finite numbers, or raise `DataError`.

    ``text_of`` returns the text of a cell, given its row and column.
    """
    bad = ~np.isfinite(table.values)
    unlabelled = np.zeros(len(bad), dtype=np.bool_)
    if table.labels is not None:
        unlabelled = np.isin(np.char.lower(table.labels), ("", "nan"))
    kept = ~(bad.any(1) | unlabelled)
    if not kept.all() and invalid == "error":
        row = int(np.argmin(kept))
        if bad[row].any():
            place = int(np.argmax(bad[row]))
            column, text = table.names[place], text_of(row, place)
            what = f'"{text}" is not a finite number' if text else "the cell is empty"
            what += "; write it with a point, or without commas" if "," in text else ""
        else:
            assert table.labels is not None
            column, what = str(target), f'the label is "{table.labels[row]}"'
        more = int((~kept).sum()) - 1
        others = f" (and {more} more rows)" if more else ""
        raise DataError(
            f'{printable(path)}: row {row + 1}, column "{column}": {what}{others}; correct it, or leave out '
            'such rows with "invalid: skip"'
        )
    reasons = {
        "rows with a cell that is no number": bad.any(1),
        "rows without a label": unlabelled & ~bad.any(1),
    }
    skipped = {
        **skipped,
        **{why: [f"row {i + 1}" for i in np.flatnonzero(which)] for why, which in reasons.items()},
    }
    return RawTable(
        table.names,
        table.values[kept],
        table.rows[kept],
        None if table.labels is None else table.labels[kept],
        None if table.split is None else table.split[kept],
        {why: names for why, names in skipped.items() if names},
    )


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise MissingData(f"no file {printable(path)}") from error
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(f"{printable(path)}: not a readable npz file without pickles ({error})") from error


def _per_row(path: Path, name: str, array: NDArray[np.generic], rows: int) -> NDArray[np.generic]:
    if array.shape != (rows,):
        raise DataError(
            f'{printable(path)}: array "{name}" is {list(array.shape)} and must be [{rows}], one per row of x'
        )
    return array


def _place(path: Path, header: Sequence[str], name: str, arrays: Sequence[str] = ()) -> int:
    if name in header:
        return list(header).index(name)
    also = f"; its arrays are {', '.join(arrays)}" if arrays else ""
    shown = ", ".join(header[:12]) + (", ..." if len(header) > 12 else "")
    raise DataError(f'{printable(path)}: no column "{name}"; its columns are {shown}{also}')


def _number(text: str) -> float | None:
    if "_" in text:  # float() accepts 1_000
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _texts(array: NDArray[np.generic]) -> list[str]:
    """Convert the elements to texts without surrounding blanks. Bytes are decoded as UTF-8."""
    if array.dtype.kind == "S":
        return [item.decode("utf-8", "backslashreplace").strip() for item in array.tolist()]
    return [str(item).strip() for item in array]


def _same_form(name: str) -> str:
    """Strip a name and normalise it to Unicode NFC, so that names that look the same compare equal."""
    return unicodedata.normalize("NFC", name.strip())
