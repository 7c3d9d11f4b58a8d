"""Chains that run far longer than in training, and distances of their samples from data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ebmsuite.density import event_sum
from ebmsuite.energy import Energy
from ebmsuite.errors import UserError
from ebmsuite.sampling import MALA, Langevin, Phase, Start, run, target_of, tempered
from ebmsuite.tree import Tree

__all__ = ["LongRun", "Moment", "Step", "energy_distance", "long_run", "one_step", "quantities"]

RECORDS = 1000
"""The number of states of a chain that are recorded."""


class Moment(NamedTuple):
    """The state of the chains after a multiple of the number of steps that training uses."""

    times: int
    steps: int
    x: Tensor
    """[B, *event]."""
    energy: Tensor
    """[B]."""
    distance: float
    """Distance from held-out data (`energy_distance`). It is large if the samples miss parts of the data."""
    nearest: float
    """Median distance to the nearest training example, divided by that of held-out data; large far from the data."""


@dataclass(frozen=True)
class LongRun:
    """The chains from one kind of initialisation."""

    start: str
    """"learning" or "data"."""
    moments: tuple[Moment, ...]
    trace: Tensor
    """[records, B, quantities], evenly spaced over all steps."""
    acceptance: float | None
    """Mean acceptance probability; None if the sampler is not adjusted."""
    condition: Tree = None
    """The condition of the chains."""

    @property
    def where(self) -> str:
        """The initialisation, as part of a sentence."""
        return "as in training" if self.start == "learning" else "at held-out examples"

    @property
    def label(self) -> str:
        """The initialisation, as part of a title."""
        return "started as in training" if self.start == "learning" else "started at held-out data"


def long_run(
    phase: Phase,
    start: Start,
    name: str,
    times: Sequence[int],
    train: Tensor,
    test: Tensor,
    rng: torch.Generator,
    advance: Callable[[], None] = lambda: None,
) -> LongRun:
    """Run the chains of ``start`` for the largest multiple in ``times`` of the phase's number of steps.

    ``advance`` is called after each step. Raises a `UserError` if the examples of ``test`` are those of ``train``.
    """
    usual = nearest(test, train)
    if usual == 0:
        raise UserError("the held-out examples are the training examples, so chains cannot be compared with new data")
    directions = quantities(start.x[0])
    total = max(times) * phase.steps
    every = max(1, total // RECORDS)
    wanted = {m * phase.steps: m for m in times}
    seen: dict[int, Tensor] = {0: start.x}
    rows: list[Tensor] = []
    rates: list[Tensor] = []

    def each(i: int, state: Any, info: Any) -> None:
        advance()
        if i + 1 in wanted:
            seen[i + 1] = state.x
        if (i + 1) % every == 0:
            rows.append(torch.cat([info.energy[:, None], state.x.flatten(1) @ directions], 1).double().cpu())
            if hasattr(info, "acceptance"):
                rates.append(info.acceptance.mean())

    phase.refine(start, rng, total, each)

    def moment(steps: int, times: int) -> Moment:
        x = seen[steps]
        energy = energies(phase.energy, x, start.condition)
        return Moment(times, steps, x, energy, energy_distance(x, test), nearest(x, train) / usual)

    moments = tuple(moment(steps, m) for steps, m in sorted({0: 0, **wanted}.items()))
    return LongRun(
        name, moments, torch.stack(rows), float(torch.stack(rates).mean()) if rates else None, start.condition
    )


def quantities(x: Tensor) -> Tensor:
    """The quantities of an event x that are traced beside its energy, as a matrix [size, Q]: Q numbers x_flat @ matrix.

    For up to ten coordinates, these are the coordinates; for more, their mean and nine fixed random projections on
    directions of unit length.
    """
    size = x.numel()
    if size <= 10:
        return torch.eye(size, dtype=x.dtype, device=x.device)
    random = torch.randn(size, 9, generator=torch.Generator().manual_seed(0))
    return torch.cat([torch.full((size, 1), 1 / size), random / random.norm(dim=0)], 1).to(x)


@torch.no_grad()
def energies(energy: Energy, x: Tensor, condition: Any = None) -> Tensor:
    """E(x, condition) [B], in float64 on the CPU."""
    value: Tensor = energy(x, condition)
    return value.double().cpu()


def energy_distance(x: Tensor, y: Tensor) -> float:
    """Normalised energy distance of two sets of events: 0 for samples of one distribution, 1 for distant points.

    ``1 - (E|X - X'| + E|Y - Y'|) / (2 E|X - Y|)``, the energy distance of Szekely and Rizzo (2013) divided by its
    largest possible value, with events as vectors. The estimate is unbiased, so it can be slightly negative.
    """
    x, y = x.detach().flatten(1).double().cpu(), y.detach().flatten(1).double().cpu()
    between = torch.cdist(x, y).mean()
    inside = [torch.cdist(v, v).sum() / (len(v) * (len(v) - 1)) for v in (x, y)]
    if between == 0:  # all events of both sets are equal
        return 0.0
    return float(1 - (inside[0] + inside[1]) / (2 * between))


def nearest(x: Tensor, data: Tensor) -> float:
    """Median distance from the events ``x`` to the nearest event of ``data``, as vectors."""
    return float(torch.cdist(x.detach().flatten(1).float(), data.flatten(1).float()).amin(1).median())


class Step(NamedTuple):
    """The properties of one step of the sampler, measured where the chains of training end."""

    temperature: float | None
    """T = n^2 / 2w, which the gradient weight w and noise scale n of Langevin imply; None for other samplers."""
    drift: float | None
    """The size of the gradient term of a step, divided by that of the noise."""
    acceptance: float | None
    """The share of steps that a Metropolis test at temperature T accepts."""


def one_step(phase: Phase, x: Tensor, condition: Any, rng: torch.Generator) -> Step:
    """Measure one step of Langevin dynamics from ``x``; all values are None for other samplers."""
    sampler: Any = phase.sampler
    if not isinstance(sampler, Langevin):
        return Step(None, None, None)
    (w, n), target = sampler.weights(), target_of(phase.energy, x, condition)
    if n == 0 or w == 0:
        return Step(0.0 if w else None, None, None)
    T, gradient = sampler.implied_temperature(), target.value_and_grad(x)[1]
    s = torch.as_tensor(target.scale, dtype=x.dtype, device=x.device).expand_as(x)
    drift = (event_sum((w * s * gradient).square()) / event_sum(n * n * (s != 0))).sqrt().mean()
    # a MALA step of size n / sqrt(T) on E / T equals the Langevin step, and adds the Metropolis test
    with torch.no_grad():
        _, info = run(MALA(n / T**0.5), tempered(target, T), x, 1, rng)
    return Step(T, float(drift), float(info.acceptance.mean()))


def spread(x: Tensor) -> float:
    """Root mean square deviation of the coordinates of events from their means."""
    return float(x.flatten(1).double().var(0).mean().sqrt())
