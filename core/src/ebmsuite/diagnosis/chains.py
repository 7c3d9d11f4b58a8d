"""Chains run far longer than in learning."""

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

__all__ = ["LongRun", "Moment", "Step", "energy_distance", "long_run", "one_step", "quantities"]

RECORDS = 1000
"""Points of a chain that are looked at."""


class Moment(NamedTuple):
    """The chains after a multiple of the number of steps that learning uses."""

    times: int
    steps: int
    x: Tensor
    """[B, *event]."""
    energy: Tensor
    """[B]."""
    distance: float
    """From held-out data, see `energy_distance`: grows when parts of the data are left out."""
    nearest: float
    """Median distance to the nearest training example over that of held-out data: grows when samples leave them."""


@dataclass(frozen=True)
class LongRun:
    """Chains from one kind of start."""

    start: str
    """"learning" or "data"."""
    moments: tuple[Moment, ...]
    trace: Tensor
    """[records, B, quantities], evenly spaced over all steps."""
    acceptance: float | None
    """Mean probability of acceptance, of an adjusted sampler."""

    @property
    def where(self) -> str:
        """The start, in a sentence."""
        return "where learning starts them" if self.start == "learning" else "at held-out examples"

    @property
    def label(self) -> str:
        """The start, in a title."""
        return "started as in learning" if self.start == "learning" else "started at held-out data"


def long_run(
    phase: Phase,
    start: Start,
    name: str,
    times: Sequence[int],
    train: Tensor,
    test: Tensor,
    rng: torch.Generator,
    advance: Callable[[float], None] = lambda n: None,
) -> LongRun:
    """Run the chains of ``start`` for the largest of ``times`` multiples of the phase's steps.

    ``advance`` is told how many energies a step has cost.
    """
    usual = nearest(test, train)
    if usual == 0:
        raise UserError("the held-out examples are the training examples: there is nothing to compare chains with")
    directions = quantities(start.x[0])
    total = max(times) * phase.steps
    every = max(1, total // RECORDS)
    wanted = {m * phase.steps: m for m in times}
    seen: dict[int, Tensor] = {0: start.x}
    rows: list[Tensor] = []
    rates: list[Tensor] = []

    def each(i: int, state: Any, info: Any) -> None:
        advance(len(start.x))
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
    return LongRun(name, moments, torch.stack(rows), float(torch.stack(rates).mean()) if rates else None)


def quantities(x: Tensor) -> Tensor:
    """What of an event x is traced, beside its energy: [size, Q] so that x_flat @ it are Q numbers.

    Up to ten coordinates are traced themselves, more by their mean and nine fixed random directions of unit length.
    """
    size = x.numel()
    if size <= 10:
        return torch.eye(size, dtype=x.dtype, device=x.device)
    random = torch.randn(size, 9, generator=torch.Generator().manual_seed(0))
    return torch.cat([torch.full((size, 1), 1 / size), random / random.norm(dim=0)], 1).to(x)


@torch.no_grad()
def energies(energy: Energy, x: Tensor, condition: Any = None) -> Tensor:
    """E [B]."""
    value: Tensor = energy(x, condition)
    return value.double().cpu()


def energy_distance(x: Tensor, y: Tensor) -> float:
    """1 - (E|X - X'| + E|Y - Y'|) / (2 E|X - Y|): 0 for samples of one distribution, 1 for points far apart.

    The energy distance of Szekely and Rizzo (2013) over its largest possible value, without bias (so it can be a
    little below 0), of events as vectors.
    """
    x, y = x.detach().flatten(1).double().cpu(), y.detach().flatten(1).double().cpu()
    between = torch.cdist(x, y).mean()
    inside = [torch.cdist(v, v).sum() / (len(v) * (len(v) - 1)) for v in (x, y)]
    if between == 0:  # all events of both are one
        return 0.0
    return float(1 - (inside[0] + inside[1]) / (2 * between))


def nearest(x: Tensor, data: Tensor) -> float:
    """Median distance from events to the nearest of ``data``, as vectors."""
    return float(torch.cdist(x.detach().flatten(1).float(), data.flatten(1).float()).amin(1).median())


class Step(NamedTuple):
    """What one step of the sampler is made of, where the chains of learning end."""

    temperature: float | None
    """T for which Langevin's gradient weight w and noise scale n belong together, n^2 / 2w; None for other samplers."""
    drift: float | None
    """Size of the gradient's part of a step over that of the noise."""
    acceptance: float | None
    """Share of steps that a Metropolis test at temperature T accepts."""


def one_step(phase: Phase, x: Tensor, condition: Any, rng: torch.Generator) -> Step:
    """Look at one step of Langevin dynamics from ``x``; nothing is known of other samplers."""
    sampler: Any = phase.sampler
    if not isinstance(sampler, Langevin):
        return Step(None, None, None)
    (w, n), target = sampler.weights(), target_of(phase.energy, x, condition)
    if n == 0 or w == 0:
        return Step(0.0 if w else None, None, None)
    T, gradient = sampler.implied_temperature(), target.value_and_grad(x)[1]
    s = torch.as_tensor(target.scale, dtype=x.dtype, device=x.device).expand_as(x)
    drift = (event_sum((w * s * gradient).square()) / event_sum(n * n * (s != 0))).sqrt().mean()
    # the unit of length of E / T is sqrt(T) times that of E: this is Langevin's step, and the test that it lacks
    with torch.no_grad():
        _, info = run(MALA(n / T**0.5), tempered(target, T), x, 1, rng)
    return Step(T, float(drift), float(info.acceptance.mean()))


def spread(x: Tensor) -> float:
    """Root mean square distance of the coordinates of events from their means."""
    return float(x.flatten(1).double().var(0).mean().sqrt())
