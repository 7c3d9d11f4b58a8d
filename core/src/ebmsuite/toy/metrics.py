"""The metric ``toy/divergence``: how far the learned density is from the true one, in nats."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset
from ebmsuite.density import Density
from ebmsuite.model import Model
from ebmsuite.scores import Score
from ebmsuite.toy.grid import Grid, all_points, log_density, temperature

__all__ = ["Divergence"]


@dataclass(frozen=True)
class Divergence:
    """``kl``: KL(data || model) = mean of log p_data(x) - log p_model(x) over ``n`` held-out x, in nats; and
    ``log-likelihood``, the mean of log p_model(x), which is all there is where the data's density is not known.

    p_model = exp(-E / T) / Z, at the temperature T at which the chains of ``phase`` sample; Z is a sum over
    ``grid`` x ``grid`` cells, a square wider by half than the data: the events must be points of the plane. "edge" in
    the protocol is the model's mass in the outermost twentieth; where it is not small there is more beyond, and the
    model is worse than the numbers say. low and high are 1.96 standard errors away. No sample is drawn.
    """

    set: Literal["valid", "test"] = "test"
    grid: int = 300
    phase: str = "negative"

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        x = all_points(data[self.set], n)
        where = Grid.around(x, self.grid)
        log_p = log_density(model, where, temperature(model.phase(self.phase)))
        ours = log_p(x)
        facts = {
            "split": self.set,
            "n": len(x),
            "unit": "nats",
            "grid": str(where),
            "edge": round(where.edge(log_p.on_grid), 6),
            "temperature": log_p.temperature,
            "log Z": round(log_p.log_z, 4),
            "interval": "1.96 standard errors",
        }
        scores = {}
        density = getattr(data[self.set], "density", None)
        if isinstance(density, Density):
            true = density.log_prob(x.double()).cpu()
            facts["true log-likelihood"] = round(float(true.mean()), 4)
            scores["kl"] = _mean(true - ours, facts, model)
        return {**scores, "log-likelihood": _mean(ours, facts, model)}


def _mean(values: Tensor, facts: Mapping[str, object], model: Model) -> Score:
    mean = float(values.mean())
    error = 1.96 * float(values.std(correction=0)) / math.sqrt(len(values))
    return Score(mean, mean - error, mean + error, {**facts, **model.describe()})
