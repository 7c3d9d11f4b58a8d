"""The task ``tabular/score``: compute the energy of every row of a user's table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import output, printable, write_csv
from ebmsuite.model import Facts, Model
from ebmsuite_tabular.codec import Columns
from ebmsuite_tabular.files import csv_cells


@dataclass(frozen=True)
class ScoreRows:
    """Append a column ``column`` with the energy of each row to a csv; higher means more anomalous.

    The input is a csv with the columns that the model was trained on, in any order, and possibly others. The
    output has the same rows and cells, without blank lines and surrounding blanks. The facts list the columns
    and blank lines that were not used. Energies compare rows under one model; their zero is arbitrary.
    ``batch`` rows are processed at a time.
    """

    column: str = "energy"
    batch: int = 4096

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise RecipeError(f"tabular/score: batch is {self.batch}; it must be at least 1")

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        """Score ``inputs`` and write ``out``; return the number of rows, the mean and the highest energy."""
        if inputs is None or inputs.suffix.lower() != ".csv":
            raise RecipeError("tabular/score: needs a table, --input FILE.csv")
        path, codec = output(out, ".csv", "tabular/score"), model.codec_as(Columns)
        cells = csv_cells(inputs)
        if self.column in cells.header:
            raise DataError(
                f'{printable(inputs)}: has a column "{self.column}" already; set column= to another name'
            )
        batch, skipped = codec.table(inputs)
        energies = torch.cat([model.energy(part).cpu() for part in torch.split(batch.x, self.batch)])
        scored = [[*row, f"{value:.6g}"] for row, value in zip(cells.rows, energies.tolist(), strict=True)]
        write_csv(path, [*cells.header, self.column], scored)
        return {
            "rows": len(scored),
            **{
                why: ", ".join([*names[:5], *(["..."] if len(names) > 5 else [])])
                for why, names in skipped.items()
            },
            "mean energy": round(float(energies.mean()), 3),
            "highest energy": round(float(energies.max()), 3),
            "its row": int(energies.argmax()) + 1,
        }
