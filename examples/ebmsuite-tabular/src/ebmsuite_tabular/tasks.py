"""The task ``tabular/score``: the energy of every row of a user's table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.model import Model
from ebmsuite_tabular.codec import Columns, write_csv
from ebmsuite_tabular.files import csv_rows


@dataclass(frozen=True)
class Score:
    """A csv with one more column, ``column``: the energy of the row, higher is stranger.

    The input is a csv with the columns that the model was trained on, in any order and among others; rows
    and cells stay as they are, but for blanks around them and blank lines. Energies compare rows under one
    model; zero means nothing. ``batch`` rows are judged at a time.
    """

    column: str = "energy"
    batch: int = 4096

    def __call__(
        self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator
    ) -> dict[str, float | int | str]:
        """Judge ``inputs`` and write ``out``; the facts are the count, the mean and the strangest row."""
        if inputs is None or inputs.suffix != ".csv":
            raise RecipeError("tabular/score: needs a table, --input FILE.csv")
        if out.suffix != ".csv":
            raise RecipeError(f"tabular/score: writes a csv, --out FILE.csv, not {out}")
        if not isinstance(model.codec, Columns):
            raise RecipeError(
                "tabular/score: the model was not trained on a table (its codec is no tabular/columns)"
            )
        header, cells = csv_rows(inputs)
        if self.column in header:
            raise DataError(f'{inputs}: has a column "{self.column}" already; set column= to another name')
        x = model.codec.read(inputs).x
        energies = torch.cat([model.energy(part).cpu() for part in torch.split(x, max(self.batch, 1))])
        scored = [[*row, f"{value:.6g}"] for row, value in zip(cells, energies.tolist(), strict=True)]
        write_csv(out, [*header, self.column], scored)
        return {
            "rows": len(cells),
            "mean energy": round(float(energies.mean()), 3),
            "highest energy": round(float(energies.max()), 3),
            "its row": int(energies.argmax()) + 1,
            "out": str(out),
        }
