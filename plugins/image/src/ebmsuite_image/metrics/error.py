"""The reconstruction error of a generator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ebmsuite.dataset import Dataset, fixed_subset, split_of
from ebmsuite.evaluation.protocol import Split, facts_of
from ebmsuite.model import Model
from ebmsuite.scores import Score
from ebmsuite.tasks.infer import reconstruct
from ebmsuite.tasks.short_run import mean_squares

__all__ = ["Mse"]


@dataclass(frozen=True)
class Mse:
    """Mean squared error per pixel between ``n`` pictures of ``set`` in [-1, 1] and g(z), with z inferred from them.

    This is the MSE of Pang et al., NeurIPS 2020, table 1. ``descent`` noise-free steps end the inference (0: as in the
    paper). Low and high are the mean minus and plus one standard error. Errors: `UserError` when the model has no
    latent vector.
    """

    set: Split = "test"
    descent: int = 0

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Score:
        dataset, errors = split_of(data, self.set), []
        index = fixed_subset(dataset, n)
        for part in torch.split(index, 1000):
            batch = dataset.batch(part, torch.zeros_like(part)).to(model.device)
            errors.append(mean_squares(reconstruct(model, batch, rng, self.descent), batch.x).cpu())
        error = torch.cat(errors)
        mean, spread = float(error.mean()), float(error.std(correction=0)) / math.sqrt(len(error))
        facts = facts_of(model, "model", len(index), dataset) | {
            "metric": "mse",
            "split": self.set,
            "picture": list(dataset.event.fixed),
            "range": [-1.0, 1.0],
            "descent": self.descent,
            "interval": "1 standard error",
        }
        return Score(mean, mean - spread, mean + spread, facts)
