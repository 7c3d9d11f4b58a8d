"""A metric of the best of k samples, and a task that writes the names of a user's file back."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ebmsuite.dataset import Dataset, first
from ebmsuite.errors import UserError
from ebmsuite.evaluation.best_of import best_of
from ebmsuite.files import output
from ebmsuite.model import Facts, Model
from ebmsuite.scores import Score
from ebmsuite.space import Batch
from ebmsuite_walk.data import PAST, Track


@dataclass(frozen=True)
class BestOfK:
    """The mean distance in metres from the noise-free walk: of the best of k samples, and of all k."""

    k: int = 20

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        batch = first(data["test"], n)
        samples = model.sample_for(batch, self.k, rng)
        scale = model.codec_as(Track).scale
        found = best_of(samples, batch.truth["ahead"], lambda x, y: scale * (x - y).norm(dim=-1).mean(-1))
        facts = {"k": self.k, "n": len(batch)}
        return {
            "best": Score(float(found.least.mean()), protocol=facts),
            "mean": Score(float(found.average.mean()), protocol=facts),
        }


@dataclass(frozen=True)
class Ahead:
    """Draw the next displacements of walkers from a csv file: name, frame, and the last 5 positions in metres."""

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path, codec = output(out, ".csv", "walk/ahead"), model.codec_as(Track)
        if inputs is None:
            raise UserError("walk/ahead needs a file of walkers")
        with inputs.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:]
        past = torch.tensor([[float(v) for v in row[2:]] for row in rows]).view(-1, PAST, 2)
        n = len(past)
        condition = {
            "past": (past - past[:, -1:]) / codec.scale,
            "seen": torch.ones(n, PAST, dtype=torch.bool),
            "scene": {
                "neighbours": torch.zeros(n, 3, 2),
                "there": torch.zeros(n, 3, dtype=torch.bool),
                "kind": torch.zeros(n, dtype=torch.long),
                "map": None,
            },
        }
        meta = {"name": np.array([row[0] for row in rows]), "frame": np.array([int(row[1]) for row in rows])}
        batch = Batch(torch.zeros(n, 4, 2), condition, meta=meta)
        codec.write(model.sample_for(batch, 1, rng)[:, 0], path, batch)
        return {"walkers": n}
