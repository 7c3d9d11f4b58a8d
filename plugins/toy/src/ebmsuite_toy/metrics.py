"""Metrics that compare models with the known densities of the toy data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, first, split_of
from ebmsuite.density import Density
from ebmsuite.errors import UserError
from ebmsuite.evaluation.distances import mmd, sliced_wasserstein
from ebmsuite.evaluation.protocol import current, facts_of
from ebmsuite.model import Model
from ebmsuite.nets.grids import windows
from ebmsuite.scores import Score
from ebmsuite.space import Batch
from ebmsuite_toy.densities.base import Labelled
from ebmsuite_toy.densities.hard import Correlated
from ebmsuite_toy.grid import Grid, LogDensity, log_density, temperature

__all__ = ["Accuracy", "Conditional", "Divergence", "HiddenError", "LatentDivergence", "SampleDistances", "Statistics"]

Split = Literal["valid", "test"]


@dataclass(frozen=True)
class Divergence:
    """KL divergence and log-likelihood of a model of points in the plane, in nats.

    ``kl`` is KL(data || model), the mean of log p_data(x) - log p_model(x) over ``n`` held-out x; it needs the density
    of the data. ``log-likelihood`` is the mean of log p_model(x). If x has a label, which the energy gets as its
    condition, both are of p(x | label). If the model has learned its normalising constant, ``log-z`` is the error of
    its logarithm.

    p_model = exp(-E / T) / Z, at the temperature T at which the chains of ``phase`` sample (1 for None, or if the
    model learned without chains). Z is a sum over ``grid`` x ``grid`` cells of a square that is wider by half than the
    data. "edge" in the protocol is the fraction of the model's mass in the outer frame, a twentieth of the side wide;
    if it is not small, the model has mass outside the square and is worse than the scores say. low and high are 1.96
    standard errors from the value. No samples are drawn.
    """

    set: Split = "test"
    grid: int = 300
    phase: str | None = "negative"

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        held_out = first(split_of(data, self.set), n)
        x, labels = held_out.x, held_out.condition
        where = Grid.around(x, self.grid)
        T = temperature(model.phase(self.phase) if self.phase and model.phases else None)
        if labels is None:
            given: dict[int | None, LogDensity] = {None: log_density(model, where, T)}
            which = torch.zeros(len(x), dtype=torch.bool)
        else:
            given = {c: log_density(model, where, T, c) for c in range(model.condition.classes or 0)}  # type: ignore[union-attr]
            which = labels
        ours = _of_class(given, x, which)
        facts = facts_of(model, "model", len(x), data[self.set]) | {
            "split": self.set,
            "unit": "nats",
            "density": "p(x)" if labels is None else "p(x | label)",
            "grid": str(where),
            "edge": round(max(where.edge(p.on_grid) for p in given.values()), 6),
            "temperature": T,
            "log Z": [round(p.log_z, 4) for p in given.values()],
            "interval": "1.96 standard errors",
        }
        scores = {}
        density = getattr(data[self.set], "density", None)
        if isinstance(density, Density):
            true = _of_class({c: _given(density, c).log_prob for c in given}, x.double(), which)
            facts["true log-likelihood"] = round(float(true.mean()), 4)
            scores["kl"] = _mean(true - ours, facts)
        scores["log-likelihood"] = _mean(ours, facts)
        if "log_z" in model.players and labels is None:
            learned = float(model.energy(x[:1], player="log_z"))
            scores["log-z"] = Score(abs(learned - given[None].log_z), protocol={**facts, "learned": round(learned, 4)})
        return scores


def _given(density: Density, label: int | None) -> Density:
    return density if label is None or not isinstance(density, Labelled) else density.given(label)


def _of_class(functions: Mapping[Any, Any], x: Tensor, which: Tensor) -> Tensor:
    """The values [B] of the function of each row's class."""
    values = torch.zeros(len(x), dtype=torch.float64)
    for label, function in functions.items():
        of_it = which == (label or 0)
        values[of_it] = function(x[of_it]).double().cpu()
    return values


@dataclass(frozen=True)
class LatentDivergence:
    """``kl``: KL(data || model) of a model with a two-dimensional latent vector, in nats, over ``n`` held-out x.

    log p(x) = log sum_z p(z) p(x | z) with z on ``grid`` x ``grid`` cells over [-side, side]^2. p(z) is exp(-E(z)) / Z
    with the energy of the phase "prior", or the generator's latent density if there is no such phase. The sum is exact
    if the width of a cell, which the protocol gives, is small compared with the sd of the observation noise.
    """

    set: Split = "test"
    grid: int = 200
    side: float = 5.0

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        x = first(split_of(data, self.set), n).x
        generator = model.players["generator"]
        where = Grid((-self.side, -self.side), 2 * self.side, self.grid)
        z = where.points().float().to(model.device)
        with torch.no_grad():
            if "prior" in model.phases:
                log_p = -model.phases["prior"].energy(z).double()
                log_p = log_p - log_p.logsumexp(0)
            else:
                log_p = generator.latent.log_prob(z).double() + where.log_cell
            mean = generator(z).double()
        parts = []
        size, sd = x[0].numel(), generator.sd
        for part in torch.split(x.double().to(model.device), 64):
            squares = torch.cdist(part.flatten(1), mean.flatten(1)).square_()
            parts.append(squares.mul_(-1 / (2 * sd**2)).add_(log_p).logsumexp(1).cpu())
        ours = torch.cat(parts) - size * (math.log(sd) + math.log(2 * math.pi) / 2)
        density = getattr(data[self.set], "density", None)
        if not isinstance(density, Density):
            raise UserError("toy/latent-divergence: the density of these data is unknown; use data with a density")
        true = density.log_prob(x.double()).cpu()
        facts = facts_of(model, "model", len(x), data[self.set]) | {
            "split": self.set, "unit": "nats", "grid of z": str(where),
            "cell": round(2 * self.side / self.grid, 4), "sd": sd,
            "edge": round(where.edge((log_p - where.log_cell).cpu()), 6),
            "true log-likelihood": round(float(true.mean()), 4), "interval": "1.96 standard errors",
        }  # fmt: skip
        return {"kl": _mean(true - ours, facts), "log-likelihood": _mean(ours, facts)}


@dataclass(frozen=True)
class SampleDistances:
    """Distances between ``n`` samples and ``n`` held-out events.

    ``sliced`` is the sliced Wasserstein-2 distance over ``directions`` directions, in the unit of the data. ``mmd`` is
    MMD^2 with Gaussian kernels. If the density of the data is known, ``surprise`` is E[-log p_data] of samples minus
    that of the held-out events, in nats. It detects samples between modes, to which the distances are insensitive; it
    does not detect missing modes.

    ``of`` "held-out" replaces the samples by training events. This gives the floor, the score of a perfect model, which
    is in the protocol of every score. If events have labels, samples are drawn for the labels of the held-out events.

    With ``window``, which suits models of patches, ``sliced`` compares all windows of that many positions instead of
    whole events, and there is no ``mmd``. Its floor uses the windows of the training events, repeated as needed.
    """

    set: Split = "test"
    directions: int = 200
    of: Literal["model", "held-out"] = "model"
    window: int | None = None

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        held_out = first(split_of(data, self.set), n)
        real, n = held_out.x, len(held_out)
        fresh = first(split_of(data, "train"), n).x
        if len(fresh) < n and self.window is None:
            raise UserError(f"toy/samples: the floor needs {n} training events, but there are {len(fresh)}")
        if self.of == "model":
            condition = None if held_out.condition is None else held_out.condition.to(model.device)
            drawn = model.sample(n, rng=rng, condition=condition).cpu()
        else:
            drawn = fresh

        def sliced(x: Tensor) -> float:
            a, b = (v.flatten(1) if self.window is None else windows(v, self.window) for v in (x, real))
            a = a[torch.arange(len(b)) % len(a)]
            return sliced_wasserstein(a, b, self.directions, torch.Generator().manual_seed(0))

        distances: dict[str, Callable[[Tensor], float]] = {"sliced": sliced}
        if self.window is None:
            distances["mmd"] = lambda x: mmd(x.flatten(1), real.flatten(1))
        density = getattr(data[self.set], "density", None)
        if isinstance(density, Density):

            def surprise(x: Tensor) -> float:
                log_p, of_real = (density.log_prob(v.double()).mean() for v in (x, real))
                return float(of_real - log_p)

            distances["surprise"] = surprise
        scores = {}
        for name, distance in distances.items():
            value, floor = distance(drawn), distance(fresh)
            facts = {
                "split": self.set, "n_reference": len(real), "window": self.window,
                "floor": round(floor, 5), "directions": self.directions,
            }  # fmt: skip
            scores[name] = Score(value, protocol=facts_of(model, self.of, n, data[self.set]) | facts)
        return scores


@dataclass(frozen=True)
class Statistics:
    """Relative error of the statistics of ``n`` samples, for an energy with a method ``statistics``.

    The score is sum |mean of held-out events - mean of n samples| / sum |mean of held-out events|, over all statistics
    (`ebmsuite.nets.frame.Frame`). ``of`` "held-out" replaces the samples by training events, which gives the floor;
    "noise" (in older recipes "reference") replaces them by draws of N(0, 1).
    """

    set: Split = "test"
    of: Literal["model", "held-out", "noise", "reference"] = "model"

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Score:
        statistics = getattr(model.players["energy"], "statistics", None)
        if statistics is None:
            raise UserError(f"toy/statistics: the energy of {model.recipe.recipe} has no statistics")
        real, of = first(split_of(data, self.set), n).x, current(self.of)
        sets = {
            "model": lambda: model.sample(len(real), rng=rng),
            "held-out": lambda: first(split_of(data, "train"), len(real)).x,
            "noise": lambda: torch.randn(real.shape, generator=rng, device=rng.device),
        }
        with torch.no_grad():
            wanted, got = (statistics(x.to(model.device)).mean(0) for x in (real, sets[of]()))
        error = float((got - wanted).abs().sum() / wanted.abs().sum())
        facts = {"split": self.set, "n_reference": len(real), "statistics": wanted.numel()}
        return Score(error, protocol=facts_of(model, of, len(real), data[self.set]) | facts)


@dataclass(frozen=True)
class Accuracy:
    """The fraction of ``n`` held-out events, from the stream with labels, that the model classifies correctly."""

    set: Split = "test"

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Score:
        labelled = next((s for s in model.streams.values() if s[self.set].condition is not None), None)
        if labelled is None:
            raise UserError("toy/accuracy: these data have no labels")
        held_out = first(split_of(labelled, self.set), n).to(model.device)
        with torch.no_grad():
            right = (model.trainer.classify(held_out.x).argmax(1) == held_out.condition).double().cpu()
        rate = float(torch.bincount(held_out.condition.cpu()).max()) / len(right)
        facts = facts_of(model, "model", len(right), labelled[self.set]) | {
            "split": self.set, "base_rate": round(rate, 4), "interval": "1.96 standard errors",
            "labelled": len(labelled["train"]),
        }  # fmt: skip
        return _mean(right, facts)


@dataclass(frozen=True)
class HiddenError:
    """Root mean squared error of the hidden coordinates of ``n`` held-out events, in the unit of the data.

    The estimate of the model is the mean of ``draws`` draws. ``of`` "mean" evaluates the training mean of the known
    coordinates instead, and "best" evaluates E[hidden | known] under the true density, the best possible estimate. Both
    are in the protocol.
    """

    set: Split = "test"
    draws: int = 8
    of: Literal["model", "mean", "best"] = "model"

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Score:
        dataset: Any = data[self.set]
        batch = first(dataset, n)
        if batch.known is None or batch.truth is None or not hasattr(dataset.density, "expected"):
            raise UserError(
                "toy/recovery: the data need hidden coordinates, and a density with a method expected, as toy/embedded"
            )
        truth, hidden = batch.truth, ~batch.known
        train = first(split_of(data, "train"))
        assert train.known is not None
        guesses = {"mean": (train.x.sum(0) / train.known.sum(0)).expand_as(truth)}
        guesses["best"] = dataset.density.expected(batch.x.double(), batch.known)
        if self.of == "model":
            on = batch.to(model.device)
            drawn = [model.trainer.recover(on, rng).cpu() for _ in range(self.draws)]
            guesses["model"] = torch.stack(drawn).mean(0)
        errors = {k: float((v - truth)[hidden].square().mean().sqrt()) for k, v in guesses.items()}
        facts = facts_of(model, self.of, len(batch), dataset) | {
            "split": self.set, "hidden": round(float(hidden.double().mean()), 4),
            "draws": self.draws, **{k: round(errors[k], 4) for k in ("mean", "best")},
        }  # fmt: skip
        return Score(errors[self.of], protocol=facts)


@dataclass(frozen=True)
class Conditional:
    """The distribution of events given a linear measurement, A x = b, against the exact one of `Correlated`.

    ``n`` held-out events give their visible coordinates (data "masked" with ``given: condition``) or their measurements
    (data "measured") as the condition of ``draws`` samples each.

    - ``mean``: root mean squared error of the mean of the draws, in the unit of the exact standard deviations.
    - ``covariance``: relative error (Frobenius) of the covariance of the draws, averaged over the events.
    - ``constraint``: the largest |A x - b|.

    ``of`` "exact" replaces the samples by exact draws, which gives the floor.
    """

    set: Split = "test"
    draws: int = 100
    of: Literal["model", "exact"] = "model"

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        dataset: Any = data[self.set]
        batch = first(dataset, n)
        density = getattr(dataset, "density", None)
        if not isinstance(density, Correlated) or not isinstance(batch.condition, dict):
            raise UserError(
                "toy/conditional: needs data of the density toy/correlated with a part or a measurement as condition"
            )
        many = batch.repeat_interleave(self.draws)
        drawn = model.sample(len(many), rng=rng, condition=many.to(model.device).condition).cpu().double()
        squares, covariances, exact, worst = [], [], [], 0.0
        for i, x in enumerate(drawn.view(len(batch), self.draws, -1)):
            A, b = _measurement(dataset, batch, i)
            mean, C = density.given(A, b)
            if self.of == "exact":
                x = mean + torch.randn(x.shape, generator=rng, dtype=x.dtype) @ _root(C)
            free = C.diagonal() > 1e-9
            squares.append((x.mean(0) - mean)[free].square() / C.diagonal()[free])
            covariances.append(torch.cov(x.T))
            exact.append(C)
            worst = max(worst, float((x @ A.T - b).abs().max()) if len(b) else 0.0)
        wanted = torch.stack(exact).mean(0)
        facts = facts_of(model, self.of, len(drawn), dataset) | {"split": self.set, "draws": self.draws}
        return {
            "mean": Score(float(torch.cat(squares).mean().sqrt()), protocol=facts),
            "covariance": Score(
                float((torch.stack(covariances).mean(0) - wanted).norm() / wanted.norm()), protocol=facts
            ),
            "constraint": Score(worst, protocol=facts),
        }


def _measurement(dataset: Any, batch: Batch, i: int) -> tuple[Tensor, Tensor]:
    """A and b of example i, float64."""
    size, condition = batch.x.shape[1], batch.condition
    if "known" in condition:
        known = condition["known"][i]
        return torch.eye(size, dtype=torch.float64)[known], condition["values"][i][known].double()
    A: Tensor = dataset.constraint.measure(torch.eye(size, dtype=torch.float64)).T
    return A, condition["measured"][i].double()


def _root(C: Tensor) -> Tensor:
    """R with R^T R = C, for a C that may be singular."""
    values, vectors = torch.linalg.eigh(C)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()).T
    return root


def _mean(values: Tensor, facts: Mapping[str, object]) -> Score:
    mean = float(values.mean())
    error = 1.96 * float(values.std(correction=0)) / math.sqrt(len(values))
    return Score(mean, mean - error, mean + error, facts)
