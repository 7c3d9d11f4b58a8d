"""The metric ``trajectory/forecast``: displacement errors, density and calibration of sampled futures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, fixed_subset, split_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.best_of import best_of
from ebmsuite.evaluation.protocol import facts_of
from ebmsuite.model import Model
from ebmsuite.scores import Score
from ebmsuite.space import Batch
from ebmsuite.tree import Tree
from ebmsuite_trajectory.baselines import constant_velocity, random_constant_velocity
from ebmsuite_trajectory.codec import TrackCodec

__all__ = ["Forecast", "Of", "density_scores", "kde_log_density", "scores_of"]

Of = Literal["model", "constant-velocity", "random-constant-velocity", "constant-and-random"]
"""Whose futures are evaluated. ``constant-velocity``: the last observed step, repeated, k times the same.
``random-constant-velocity``: `random_constant_velocity`. ``constant-and-random``: constant velocity as the first of k,
the others random."""

GOALS = [2, 5, 8, 11]
"""Steps of the plan by which the published protocol of LB-EBM selects one future, for 12 predicted steps."""

MISSED = 2.0
"""Final displacement in metres above which a window counts as missed."""

LEVELS = (0.5, 0.8, 0.95)
"""Nominal coverages at which calibration is measured."""

_OF_DENSITY = {"kde-nll", *(f"coverage-{round(100 * level)}" for level in LEVELS)}

FLOOR = -20.0
"""The smallest log-density per step, which limits the effect of single windows (Ivanovic & Pavone, ICCV 2019)."""


@dataclass(frozen=True)
class Forecast:
    """Errors of ``k`` sampled futures per window of the split ``against``, in metres.

    Scores, averaged over windows:

    - ``ade``, ``fde``: the smallest average and the smallest final displacement among the k futures (two minima);
    - ``ade-selected``, ``fde-selected``: of one future, selected by its distance to the true positions at the four
      steps of the plan, the oracle of Pang et al. (CVPR 2021); needs 12 predicted steps;
    - ``ade-mean``, ``fde-mean``: the average over all k futures;
    - ``miss-rate``: share of windows whose smallest final displacement is above 2 m;
    - ``kde-nll``: negative log-density of the true future in nats per step, under a normal kernel density estimate of
      the futures at each step (Ivanovic & Pavone, ICCV 2019), at least -20 per step;
    - ``coverage-50``, ``-80``, ``-95``: share of windows whose final position lies in the region of highest estimated
      density with this probability; ``calibration``: mean absolute difference between the share and the probability;
    - ``copies``: share of futures that are constant velocity within 5 cm at every step.

    ``n`` is the number of windows: a fixed random subset, all of them if there are fewer.
    """

    of: Of = "model"
    against: Literal["train", "valid", "test"] = "test"
    k: int = 20
    density_k: int = 100
    """Futures per window for ``kde-nll`` and ``calibration``; 0 leaves these two out."""
    repeats: int = 1
    """Number of draws of the k futures, over which scores are averaged: a draw of 20 moves FDE by centimetres."""

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        for name, value in (("k", self.k), ("repeats", self.repeats)):
            if value < 1:
                raise UserError(f"{name}: must be at least 1, got {value}")
        dataset = split_of(data, self.against)
        codec = dataset.codec
        if not isinstance(codec, TrackCodec):
            raise UserError("trajectory/forecast evaluates data with the codec trajectory/tracks")
        index = fixed_subset(dataset, n)
        drawn: list[dict[str, Tensor]] = []
        for repeat in range(self.repeats):
            agents: list[str] = []
            parts = []
            for part in torch.split(index, 512):
                batch = dataset.batch(part, torch.zeros_like(part))
                assert batch.meta is not None
                agents += [f"{r}/{a}" for r, a in zip(batch.meta["recording"], batch.meta["agent"], strict=True)]
                parts.append(self._scores(model, batch, codec, rng, self.density_k if repeat == 0 else 0))
            drawn.append({name: torch.cat([part[name].double() for part in parts]) for name in parts[0]})
        facts = facts_of(model, self.of, len(index), dataset) | {
            "k": self.k, "against": self.against, "unit": "metres", "windows": len(index), "of windows": len(dataset),
            "repeats": self.repeats,
        }  # fmt: skip
        density = {**facts, "k": self.density_k, "bandwidth": "Scott's rule, plus 1 cm"}
        scores = {}
        for name in drawn[0]:
            each = torch.stack([one[name] for one in drawn if name in one])
            spread = {"sd over draws": float(each.mean(1).std())} if len(each) > 1 else {}
            scores[name] = _with_interval(each.mean(0), agents, (density if name in _OF_DENSITY else facts) | spread)
        if "kde-nll" in scores:
            gaps = [abs(scores[f"coverage-{round(100 * p)}"].value - p) for p in LEVELS]
            scores["calibration"] = Score(sum(gaps) / len(gaps), protocol=density)
        return scores

    def _scores(
        self, model: Model, batch: Batch, codec: TrackCodec, rng: torch.Generator, density_k: int
    ) -> dict[str, Tensor]:
        past, future = codec.metres(batch.condition["past"]), codec.metres(batch.x)

        def drawn(k: int) -> Tensor:
            if self.of == "model":
                return codec.metres(model.sample_for(batch, k, rng)).to(future)
            if self.of == "constant-velocity":
                return constant_velocity(past, future.shape[1])[:, None].expand(-1, k, -1, -1)
            some = random_constant_velocity(past, future.shape[1], k, rng)
            if self.of == "constant-and-random":
                some[:, 0] = constant_velocity(past, future.shape[1])
            return some

        found = scores_of(drawn(self.k), future, constant_velocity(past, future.shape[1]))
        # constant velocity is one future without a spread, so it has no density to estimate
        if density_k and self.of != "constant-velocity":
            found |= density_scores(drawn(density_k), future)
        return found


def scores_of(samples: Tensor, truth: Tensor, straight: Tensor) -> dict[str, Tensor]:
    """Displacement errors per window [B] of futures [B, k, steps, 2] in metres."""

    def plan(x: Tensor, y: Tree) -> Tensor:
        distance: Tensor = (x[:, GOALS] - y[:, GOALS]).square().sum((-1, -2))
        return distance

    average = best_of(samples, truth, lambda x, y: (x - y).norm(dim=-1).mean(-1))
    final = best_of(samples, truth, lambda x, y: (x - y)[:, -1].norm(dim=-1))
    found = {
        "ade": average.least, "fde": final.least, "ade-mean": average.average, "fde-mean": final.average,
        "miss-rate": (final.least > MISSED).double(),
        "copies": ((samples - straight[:, None]).norm(dim=-1).amax(-1) < 0.05).double().mean(1),
    }  # fmt: skip
    if truth.shape[1] > max(GOALS):
        chosen = best_of(samples, truth, plan)
        found |= {"ade-selected": chosen.of(average.distances), "fde-selected": chosen.of(final.distances)}
    return found


def density_scores(samples: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """``kde-nll`` in nats per step, and whether the final position is covered at each of `LEVELS`, per window [B]."""
    density = kde_log_density(samples, truth)
    final = samples[:, :, -1:]
    among, own = _final_log_density(final), density[:, -1:]
    # a region of highest density with coverage p contains the truth if at most a share p of the samples is denser
    denser = (among > own).double().mean(1)
    covered = {f"coverage-{round(100 * level)}": (denser <= level).double() for level in LEVELS}
    return {"kde-nll": -density.clamp_min(FLOOR).mean(1), **covered}


def kde_log_density(samples: Tensor, at: Tensor) -> Tensor:
    """Log-density [B, steps] of positions ``at`` [B, steps, 2] under a kernel density estimate at every step.

    ``samples`` [B, k, steps, 2] are in metres. The normal kernel has the covariance of the samples times k^(-1/3)
    (Scott's rule in two dimensions) plus that of 1 cm, so that equal samples have a density.
    """
    white, centre, log_det = _whiten(samples, at)
    squares = (white - centre[:, None]).square().sum(-1)
    return (-squares / 2).logsumexp(1) - math.log(samples.shape[1] * 2 * math.pi) - log_det


def _whiten(samples: Tensor, at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Samples and positions in units of the kernel, and the log-determinant of its square root [B, steps]."""
    samples, at = samples.double(), at.double()
    k, mean = samples.shape[1], samples.mean(1, keepdim=True)
    offset = samples - mean
    covariance = torch.einsum("bkti,bktj->btij", offset, offset) / max(k - 1, 1) * k ** (-1 / 3)
    root = torch.linalg.cholesky(covariance + 1e-4 * torch.eye(2, dtype=torch.float64, device=samples.device))
    inverse = torch.linalg.inv(root)
    white = torch.einsum("btij,bktj->bkti", inverse, offset)
    centre = torch.einsum("btij,btj->bti", inverse, at - mean[:, 0])
    return white, centre, root.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def _final_log_density(final: Tensor) -> Tensor:
    """Log-density of each sample [B, k, 1, 2] under the kernel density estimate of the others, [B, k]."""
    white, _, log_det = _whiten(final, final[:, 0])
    squares = torch.cdist(white[:, :, 0], white[:, :, 0]).square()
    others = squares + torch.diag(squares.new_full((final.shape[1],), math.inf))
    return (-others / 2).logsumexp(2) - math.log((final.shape[1] - 1) * 2 * math.pi) - log_det


def _with_interval(values: Tensor, agents: Sequence[str], protocol: Mapping[str, Any]) -> Score:
    """The mean of values [N] with a 95 % interval that treats the windows of one agent as one observation."""
    mean, n = float(values.mean()), len(values)
    names = {name: i for i, name in enumerate(dict.fromkeys(agents))}
    of = torch.tensor([names[name] for name in agents])
    sums = torch.zeros(len(names), dtype=torch.float64).index_add_(0, of, values.cpu() - mean)
    if len(names) < 2:
        return Score(mean, protocol=protocol)
    half = 1.96 * float(sums.square().sum().sqrt()) / n * math.sqrt(len(names) / (len(names) - 1))
    return Score(mean, mean - half, mean + half, {**protocol, "agents": len(names)})
