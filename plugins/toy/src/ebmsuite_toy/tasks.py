"""The task ``toy/log-density``: log-densities of a user's points under the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ebmsuite.dataset import first
from ebmsuite.errors import DataError
from ebmsuite.files import output, write_csv
from ebmsuite.model import Facts, Model
from ebmsuite_toy.codec import PointFiles
from ebmsuite_toy.grid import Grid, log_density, temperature

__all__ = ["LogDensityOfPoints"]


@dataclass(frozen=True)
class LogDensityOfPoints:
    """Write a .csv with one row of coordinates, E and log p per point of a file (``inputs``, as the codec reads it).

    log p = -E / T - log Z in nats, at the temperature of ``phase``, with Z summed over ``grid`` x ``grid`` cells around
    the training data.
    """

    grid: int = 300
    phase: str = "negative"

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path = output(out, ".csv", "toy/log-density")
        if inputs is None:
            raise DataError("toy/log-density: name a .csv file of points with --input")
        x = model.codec_as(PointFiles).read(inputs).x
        where = Grid.around(first(model.data["train"]).x, self.grid)
        log_p = log_density(model, where, temperature(model.phase(self.phase)))
        values = log_p(x)
        energy = -log_p.temperature * (values + log_p.log_z)
        rows = torch.cat([x.double(), energy[:, None], values[:, None]], 1).tolist()
        head = [*(f"x{i}" for i in range(x.shape[1])), "energy", "log_density"]
        write_csv(path, head, ([f"{v:.9g}" for v in row] for row in rows))
        return {"points": len(x), "mean log-density": float(values.mean()), "grid": str(where)}
