"""The codec ``tabular/columns``: converts files in the user's units to standardised events and back."""

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
    """Codec for rows of named columns: an event [D] contains (value - mean) / sd of each column.

    ``means`` and ``sds`` [D] are in the units of the files and are fitted to the training rows. A column
    that is constant in the training rows has sd 1.
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
        """Fit the means and standard deviations to training rows ``values`` [N, D]."""
        means, sds = values.mean(0), values.std(0)
        sds = np.where(sds > 1e-12 * (1 + np.abs(means)), sds, 1.0)
        return cls(tuple(names), tuple(means.tolist()), tuple(sds.tolist()))

    def standardised(self, values: NDArray[np.float64]) -> Tensor:
        """Convert rows [N, D] in the units of the files to events [N, D], float32."""
        return torch.from_numpy(((values - np.array(self.means)) / np.array(self.sds)).astype(np.float32))

    def original(self, x: Tensor) -> NDArray[np.float64]:
        """Convert events [N, D] to rows [N, D] in the units of the files."""
        values = x.detach().cpu().double().numpy() * np.array(self.sds) + np.array(self.means)
        return np.asarray(values, dtype=np.float64)

    def read(self, path: Path) -> Batch:
        """Read the rows of a csv or npz file: x float32 [N, D], index 0..N-1.

        Columns are found by name, in any order; the file may have further columns. Raises `DataError` for a
        missing column, a cell that is not a finite number, a ragged row or an empty file.
        """
        return self.table(path)[0]

    def table(self, path: Path) -> tuple[Batch, Skipped]:
        """Return the rows of a file as in `read`, and the columns and blank lines that were left out."""
        table = read_table(Path(path), self.names)
        x = self.standardised(table.values)
        return Batch(x, index=torch.arange(len(x))), table.skipped

    def write(self, x: Tensor, path: Path, batch: Batch | None = None) -> None:
        """Write events x [N, D] in the units of the files: .csv with a header, or .npz (x, feature_names).

        A .csv has a further column for each entry of the ``meta`` of ``batch``. The file is written
        atomically. Raises `DataError` for another ending.
        """
        path, values = Path(path), self.original(x)
        if path.suffix.lower() == ".csv":
            facts = (
                {} if batch is None or batch.meta is None else {k: v.tolist() for k, v in batch.meta.items()}
            )
            cells = [[f"{value:.9g}" for value in row] for row in values]
            lines = [[*row, *more] for row, *more in zip(cells, *facts.values(), strict=True)]
            write_csv(path, [*self.names, *facts], lines)
        elif path.suffix.lower() == ".npz":
            with replacing(path) as aside:
                np.savez(aside, x=values, feature_names=np.array(self.names))
        else:
            raise DataError(f'{path}: tables are written as .csv or .npz, not "{path.suffix}"')
