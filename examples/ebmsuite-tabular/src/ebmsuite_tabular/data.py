"""The data set ``tabular/table``: normal rows for training, normal and anomalous rows in valid and test."""

from __future__ import annotations

import unicodedata
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebmsuite.dataset import InMemory
from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import find, printable
from ebmsuite_tabular.codec import Columns
from ebmsuite_tabular.files import Invalid, RawTable, read_table

SPLITS = ("train", "valid", "test")
SHARES = (0.7, 0.1, 0.2)  # of the normal rows; anomalous rows go to valid and test in the ratio 0.1 to 0.2


class Table(InMemory):
    """Rows of a table as events [D], standardised with the means and sds of the training rows.

    ``path`` is a csv file with a header or an npz file with ``x`` [N, D] (and ``feature_names`` [D]), as
    given or inside EBMSUITE_DATA. Without a path, the data are breast cancer Wisconsin, 569 x 30, in which
    "malignant" rows are anomalous. ``target`` is the column, or the array of an npz, that contains the labels
    and is not part of the events. Rows with the label ``anomaly`` are anomalous. ``columns`` are the columns
    of the events, in this order; the default is all except ``target``. A row with a cell that is not a finite
    number, or with an empty label, raises `DataError`, or is left out with ``invalid`` "skip".

    A permutation drawn from ``seed`` assigns 70 % of the normal rows to train, 10 % to valid and 20 % to
    test. A third of the anomalous rows goes to valid, the rest to test. An npz with ``split`` [N] (0, 1, 2)
    defines its own splits, except that anomalous rows are removed from train.

    ``anomalous`` [N], boolean, is for metrics; ``rows`` [N] are the row numbers in the file, from 0. Normal
    rows come before anomalous rows. ``skipped`` names the blank lines, the rows (numbered from 1) and the
    columns of the file that are in no split. A `DataError` names the file and its problem, a `RecipeError`
    the setting.
    """

    anomalous: Tensor
    rows: Tensor

    def __init__(
        self,
        split: Literal["train", "valid", "test"] = "train",
        path: str | None = None,
        target: str | None = None,
        anomaly: str | float | None = None,
        columns: tuple[str, ...] | None = None,
        seed: int = 0,
        invalid: Invalid = "error",
    ) -> None:
        if path is None:
            where, table = "breast cancer Wisconsin", breast_cancer()
            if invalid == "skip":
                raise RecipeError("invalid: without a path there is no row to leave out")
            if target not in (None, "diagnosis") or columns is not None:
                raise RecipeError('target and columns: without a path they are "diagnosis" and all others')
            anomaly = "malignant" if anomaly is None else anomaly
        elif anomaly is not None and target is None:
            raise RecipeError("anomaly: name the target column that has this value")
        else:
            file = find(path)
            where, table = printable(file), read_table(file, columns, target, invalid)
        anomalous = is_anomalous(where, table, anomaly)
        parts = split_rows(anomalous, seed, table.split)
        for name, part in zip(SPLITS, parts, strict=True):
            if not (~anomalous[part]).any():
                raise DataError(
                    f"{where}: no normal row is left for {name}; {len(anomalous)} rows are too few"
                )
        codec = Columns.fitted(table.names, table.values[parts[0]])
        rows = parts[SPLITS.index(split)]
        super().__init__(codec.standardised(table.values[rows]), codec=codec)
        self.anomalous = torch.from_numpy(anomalous[rows])
        self.rows = torch.from_numpy(table.rows[rows])
        unused = np.setdiff1d(np.arange(len(anomalous)), np.concatenate(parts))
        left_out = [f"row {table.rows[i] + 1}" for i in unused]
        self.skipped = {**table.skipped, **({"anomalous rows of train": left_out} if left_out else {})}


def breast_cancer() -> RawTable:
    """Load breast cancer Wisconsin (diagnostic) from scikit-learn: 569 x 30, "malignant" and "benign"."""
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    names = tuple(str(name) for name in found.feature_names)
    labels = found.target_names[found.target].astype(np.str_)
    return RawTable(names, found.data.astype(np.float64), np.arange(len(labels)), labels)


def is_anomalous(where: str, table: RawTable, anomaly: str | float | None) -> NDArray[np.bool_]:
    """Return which rows have the label ``anomaly``, compared as text or as number: boolean [N].

    Raises `DataError` if no row has it, or if another label differs from it only in case or blanks.
    """
    if anomaly is None or table.labels is None:
        return np.zeros(len(table.values), dtype=np.bool_)
    kinds = sorted(set(table.labels.tolist()))
    same = [kind for kind in kinds if _equal(kind, anomaly)]
    if not same:
        shown = ", ".join(kinds[:8]) + (", ..." if len(kinds) > 8 else "")
        raise DataError(f'{where}: no row has the label "{anomaly}"; the labels are {shown}')
    similar = [kind for kind in kinds if kind not in same and _folded(kind) == _folded(str(anomaly))]
    if similar:
        raise DataError(
            f'{where}: rows have the label "{similar[0]}", which is like the anomaly "{anomaly}" but not the '
            "same; write both alike, or choose names that differ more"
        )
    return np.isin(table.labels, same)


def split_rows(
    anomalous: NDArray[np.bool_], seed: int, given: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], ...]:
    """Return the row numbers of train, valid and test.

    Each part has its normal rows first, then its anomalous rows (none in train), both shuffled. ``given``
    [N], 0 to 2, defines the parts; if it is None, `SHARES` does.
    """
    order = np.random.default_rng(seed).permutation(len(anomalous))
    normal, strange = order[~anomalous[order]], order[anomalous[order]]
    if given is not None:
        first, second = ([part[given[part] == i] for i in range(3)] for part in (normal, strange))
        return first[0], np.concatenate([first[1], second[1]]), np.concatenate([first[2], second[2]])
    train, valid, _ = SHARES
    one, two = round(train * len(normal)), round((train + valid) * len(normal))
    third = round(len(strange) * valid / (1 - train))
    held_out = (
        np.concatenate([normal[one:two], strange[:third]]),
        np.concatenate([normal[two:], strange[third:]]),
    )
    return normal[:one], *held_out


def _equal(label: str, anomaly: str | float) -> bool:
    try:
        return float(label) == float(anomaly)
    except ValueError:
        return label == str(anomaly).strip()


def _folded(label: str) -> str:
    return "".join(unicodedata.normalize("NFKC", label).casefold().split())
