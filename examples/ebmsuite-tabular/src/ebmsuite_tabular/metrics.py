"""Metrics of model fit on held-out normal rows: an energy gap and a two-sample distance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset
from ebmsuite.errors import DataError
from ebmsuite.evaluation.protocol import current, facts_of
from ebmsuite.model import Model
from ebmsuite.scores import Score
from ebmsuite_tabular.detection import all_rows


@dataclass(frozen=True)
class HeldOutEnergy:
    """Mean energy of held-out normal rows minus that of ``n`` samples.

    The value is 0 if the model distribution equals the data distribution.
    A value above 0 means that the model assigns higher probability to its samples than to new rows: it
    overfits, or its chains have not mixed. low and high are 1.96 standard errors from the value.
    """

    set: Literal["valid", "test"] = "test"

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Score:
        real = normal_rows(data[self.set])[:n]
        held_out = model.energy(real).cpu().double()
        drawn = model.energy(model.sample(n, rng=rng)).cpu().double()
        gap = float(held_out.mean() - drawn.mean())
        error = math.sqrt(sum(float(e.var(correction=0)) / len(e) for e in (held_out, drawn)))
        facts = facts_of(model, "model", len(drawn), data[self.set]) | {
            "split": self.set,
            "held-out rows": len(held_out),
            "held-out energy": round(float(held_out.mean()), 4),
            "sample energy": round(float(drawn.mean()), 4),
            "interval": "1.96 standard errors",
        }
        return Score(gap, gap - 1.96 * error, gap + 1.96 * error, facts)


@dataclass(frozen=True)
class TwoSample:
    """Energy distance 2 E|x - y| - E|x - x'| - E|y - y'| of samples x and held-out normal rows y.

    It compares equally many x and y, at most ``n``, in standardised units, and averages over all pairs, so
    that equal sets have distance 0. ``of`` is the "model", or a baseline: "held-out", real rows from the
    training set, or "gaussian", draws from independent Gaussian columns. Older recipes call the first two
    "samples" and "real". The protocol has the distance between real rows, ``real floor`` and ``real floor
    sd``, from ``floors`` sets of equally many training rows. A value near this floor means that the metric
    cannot distinguish the samples from real rows.
    """

    of: Literal["model", "held-out", "gaussian", "samples", "real"] = "model"
    set: Literal["valid", "test"] = "test"
    floors: int = 20

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Score:
        y, train = normal_rows(data[self.set])[:n], normal_rows(data["train"])
        size = min(len(y), len(train))
        y = y[:size]

        def some_real() -> Tensor:
            return train[torch.randperm(len(train), generator=rng, device=rng.device).cpu()[:size]]

        of = current(self.of)
        if of == "model":
            x = model.sample(size, rng=rng).cpu().flatten(1)
        elif of == "held-out":
            x = some_real()
        else:
            noise = torch.randn(y.shape, generator=rng, device=rng.device).cpu()
            x = train.mean(0) + train.std(0) * noise
        floor = torch.tensor([energy_distance(some_real(), y) for _ in range(max(self.floors, 1))])
        facts = facts_of(model, of, size, data[self.set]) | {
            "split": self.set,
            "real floor": round(float(floor.mean()), 5),
            "real floor sd": round(float(floor.std(correction=0)), 5),
        }
        return Score(energy_distance(x, y), protocol=facts)


def energy_distance(x: Tensor, y: Tensor) -> float:
    """Energy distance 2 E|x - y| - E|x - x'| - E|y - y'| of rows [N, D] and [M, D], over all pairs.

    The definition is that of Szekely & Rizzo (2013).
    """
    x, y = x.double(), y.double()
    between, of_x, of_y = (torch.cdist(a, b).mean() for a, b in ((x, y), (x, x), (y, y)))
    return float(2 * between - of_x - of_y)


def normal_rows(dataset: Dataset) -> Tensor:
    """Return the normal rows [N, D]; all rows if there are no labels. Raises `DataError` if there is none."""
    x, labels = all_rows(dataset), getattr(dataset, "anomalous", None)
    if isinstance(labels, Tensor):
        x = x[~labels]
    if not len(x):
        raise DataError("the split has no normal row")
    return x
