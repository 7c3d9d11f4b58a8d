"""The codec ``tabular/columns``: files in the user's units to standardised events, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import replacing, write_csv
from ebmsuite.space import Batch
from ebmsuite_tabular.files import Skipped, read_table


@dataclass(frozen=True)
class Columns:
    """Rows of named columns as events [D], each column less its mean and over its standard deviation.

    ``means`` and ``sds`` [D] are in the units of the files and were fitted to the training rows; a column
    that was constant there has sd 1.
    """

    names: tuple[str, ...]
    means: tuple[float, ...]
    sds: tuple[float, ...]
    name: ClassVar[str] = "tabular/columns"

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.means) == len(self.sds) or min(self.sds, default=0.0) <= 0:
            raise RecipeError(f"{self.name}: names, means and sds must be equally many, sds above 0")

    @classmethod
    def fitted(cls, names: Sequence[str], values: NDArray[np.float64]) -> Columns:
        """The statistics of training rows ``values`` [N, D]."""
        means, sds = values.mean(0), values.std(0)
        sds = np.where(sds > 1e-12 * (1 + np.abs(means)), sds, 1.0)
        return cls(tuple(names), tuple(means.tolist()), tuple(sds.tolist()))

    def standardised(self, values: NDArray[np.float64]) -> Tensor:
        """Events [N, D], float32, of rows [N, D] in the units of the files."""
        return torch.from_numpy(((values - np.array(self.means)) / np.array(self.sds)).astype(np.float32))

    def original(self, x: Tensor) -> NDArray[np.float64]:
        """Rows [N, D] in the units of the files, of events [N, D]."""
        values = x.detach().cpu().double().numpy() * np.array(self.sds) + np.array(self.means)
        return np.asarray(values, dtype=np.float64)

    def read(self, path: Path) -> Batch:
        """The rows of a csv or npz file: x float32 [N, D], index 0..N-1.

        Columns are found by name, in any order; the file may have others. A missing column, a cell that is no
        finite number, a ragged row and an empty file are a `DataError`.
        """
        return self.table(path)[0]

    def table(self, path: Path) -> tuple[Batch, Skipped]:
        """The rows of a file as `read` gives them, and the columns and blank lines that were left out."""
        table = read_table(Path(path), self.names)
        x = self.standardised(table.values)
        return Batch(x, index=torch.arange(len(x))), table.skipped

    def write(self, x: Tensor, path: Path) -> None:
        """Write events x [N, D] in the units of the files: .csv with a header, or .npz (x, feature_names).

        The file is complete or absent. Another ending is a `DataError`.
        """
        path, values = Path(path), self.original(x)
        if path.suffix.lower() == ".csv":
            write_csv(path, self.names, [[f"{value:.9g}" for value in row] for row in values])
        elif path.suffix.lower() == ".npz":
            with replacing(path) as aside:
                np.savez(aside, x=values, feature_names=np.array(self.names))
        else:
            raise DataError(f'{path}: tables are written as .csv or .npz, not "{path.suffix}"')
