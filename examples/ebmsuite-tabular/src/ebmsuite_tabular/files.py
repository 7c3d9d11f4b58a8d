"""Tables in files: csv with a header, npz with ``x`` [N, D]; errors that name file, row and column."""

from __future__ import annotations

import csv
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ebmsuite.errors import DataError, MissingData


@dataclass(frozen=True)
class RawTable:
    """Numbers as they are in the file, in its units.

    ``values`` [N, D] float64 under ``names`` [D]; ``labels`` [N] are texts, None when no label was asked for;
    ``split`` [N] is 0, 1, 2 for train, valid, test where the file says so, else None.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    labels: NDArray[np.str_] | None = None
    split: NDArray[np.int64] | None = None


def read_table(path: Path, columns: Sequence[str] | None = None, target: str | None = None) -> RawTable:
    """The table in a csv or npz file.

    ``columns`` picks columns by name, in this order, and nothing else is read; None is all but ``target``,
    which gives the labels. Raises `DataError` naming the file and, where there is one, the row (1 is the
    first below the header) and the column.
    """
    if path.suffix == ".csv":
        return _read_csv(path, columns, target)
    if path.suffix == ".npz":
        return _read_npz(path, columns, target)
    raise DataError(f'{path}: a table is a .csv or an .npz file, not "{path.suffix}"')


def csv_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header of a csv file and the cells of its rows, as texts; blank lines are left out.

    A file without rows, a header with an empty or a repeated name, one that is numbers, and a row with more
    or fewer cells than the header are a `DataError`.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [[cell.strip() for cell in row] for row in csv.reader(file) if any(map(str.strip, row))]
    except FileNotFoundError as error:
        raise MissingData(f"no file {path}") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a readable csv file ({error})") from error
    if len(lines) < 2:
        raise DataError(f"{path}: {'no rows below the header' if lines else 'the file is empty'}")
    header, rows = lines[0], lines[1:]
    for place, name in enumerate(header):
        if not name or name in header[:place]:
            what = f'the second column "{name}"' if name else f"column {place + 1} without a name"
            raise DataError(f"{path}: {what}; every column needs a name of its own in the first line")
    if all(_number(name) is not None for name in header):
        raise DataError(f"{path}: the first line must name the columns, and it holds numbers")
    for at, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise DataError(f"{path}: row {at} has {len(row)} cells and the header {len(header)}")
    return header, rows


def _read_csv(path: Path, columns: Sequence[str] | None, target: str | None) -> RawTable:
    header, rows = csv_rows(path)
    labels = None
    if target is not None:
        place = _place(path, header, target)
        labels = np.array([row[place] for row in rows], dtype=np.str_)
    names = tuple(name for name in header if name != target) if columns is None else tuple(columns)
    places = [_place(path, header, name) for name in names]
    values = np.empty((len(rows), len(names)))
    for at, row in enumerate(rows):
        for column, place in enumerate(places):
            number = _number(row[place])
            if number is None:
                what = f'"{row[place]}" is not a finite number' if row[place] else "the cell is empty"
                raise DataError(f'{path}: row {at + 1}, column "{header[place]}": {what}')
            values[at, column] = number
    return RawTable(names, values, labels)


def _read_npz(path: Path, columns: Sequence[str] | None, target: str | None) -> RawTable:
    arrays = _arrays(path)
    x = arrays.get("x")
    if x is None or x.ndim != 2 or 0 in x.shape or x.dtype.kind not in "fiub":
        found = "none" if x is None else f"{x.dtype} {list(x.shape)}"
        raise DataError(f'{path}: needs an array "x" of numbers [rows, columns], neither 0; found {found}')
    names = [f"x{i}" for i in range(x.shape[1])]
    if "feature_names" in arrays:
        names = [str(name) for name in arrays["feature_names"].ravel()]
    if len(names) != x.shape[1] or len(set(names)) != len(names):
        raise DataError(f"{path}: feature_names must be {x.shape[1]} different names")
    labels, split = None, None
    if target is not None:
        column = arrays[target] if target in arrays else x[:, _place(path, names, target, sorted(arrays))]
        labels = _per_row(path, target, column, len(x)).astype(np.str_)
    if "split" in arrays:
        split = _per_row(path, "split", arrays["split"], len(x)).astype(np.int64)
        if not np.isin(split, (0, 1, 2)).all():
            raise DataError(f'{path}: array "split" must be 0 (train), 1 (valid) or 2 (test) in every row')
    picked = tuple(name for name in names if name != target) if columns is None else tuple(columns)
    values = x[:, [_place(path, names, name) for name in picked]].astype(np.float64)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        at, place = bad[0]
        raise DataError(f'{path}: row {at + 1}, column "{picked[place]}": {values[at, place]} is not finite')
    return RawTable(picked, values, labels, split)


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise MissingData(f"no file {path}") from error
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a readable npz file without pickles ({error})") from error


def _per_row(path: Path, name: str, array: NDArray[np.generic], rows: int) -> NDArray[np.generic]:
    if array.shape != (rows,):
        raise DataError(f'{path}: array "{name}" is {list(array.shape)} and must be [{rows}], one a row of x')
    return array


def _place(path: Path, header: Sequence[str], name: str, arrays: Sequence[str] = ()) -> int:
    if name in header:
        return list(header).index(name)
    also = f"; its arrays are {', '.join(arrays)}" if arrays else ""
    shown = ", ".join(header[:12]) + (", ..." if len(header) > 12 else "")
    raise DataError(f'{path}: no column "{name}"; its columns are {shown}{also}')


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
