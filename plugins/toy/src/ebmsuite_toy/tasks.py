"""The task ``toy/log-density``: log-densities of a user's points under the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ebmsuite.errors import DataError
from ebmsuite.files import write_text
from ebmsuite.model import Model
from ebmsuite_toy.grid import Grid, all_points, log_density, temperature

__all__ = ["LogDensityOfPoints"]


@dataclass(frozen=True)
class LogDensityOfPoints:
    """Write a .csv with one row of coordinates, E and log p per point of a file (``inputs``, as the codec reads it).

    log p = -E / T - log Z in nats, at the temperature of ``phase``, with Z summed over ``grid`` x ``grid`` cells around
    the training data.
    """

    grid: int = 300
    phase: str = "negative"

    def __call__(
        self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator
    ) -> dict[str, int | float | str]:
        if inputs is None or model.codec is None:
            raise DataError("toy/log-density: give a .csv file of points with --input")
        if out.suffix.lower() != ".csv":
            raise DataError(f'{out}: log-densities are written as .csv, not "{out.suffix}"')
        x = model.codec.read(inputs).x
        where = Grid.around(all_points(model.data["train"]), self.grid)
        log_p = log_density(model, where, temperature(model.phase(self.phase)))
        values = log_p(x)
        energy = -log_p.temperature * (values + log_p.log_z)
        rows = torch.cat([x.double(), energy[:, None], values[:, None]], 1).tolist()
        head = [*(f"x{i}" for i in range(x.shape[1])), "energy", "log_density"]
        lines = [head, *([f"{v:.9g}" for v in row] for row in rows)]
        write_text(out, "".join(",".join(line) + "\n" for line in lines))
        return {"points": len(x), "mean log-density": float(values.mean()), "grid": str(where)}
