"""Adaptation: from a sampler to a sampler, before the chains that count."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from ebmsuite.errors import UserError
from ebmsuite.progress import progress
from ebmsuite.sampling.kernel import Target
from ebmsuite.schedule import fixed

__all__ = ["DualAveraging", "wanted_acceptance", "warm_up"]

S = TypeVar("S")
GAMMA = 0.2
FAR = 100.0
"""The factor by which a step size may be wrong without being searched for."""
POWERS = 30
"""Powers of ten over which a step size is searched for."""
DEPTH = 8
"""Doublings of a trajectory of NUTS until the first scale is known."""


def warm_up(
    sampler: S, target: Target, x: Tensor, steps: int, rng: torch.Generator, accept: float | None = None
) -> tuple[S, Tensor]:
    """A copy of ``sampler`` (MALA, HMC or NUTS) with an adapted step size and scale, and where its chains are now.

    The step size follows the acceptance, averaged over chains, by dual averaging to ``accept`` (the kernel's
    ``target_acceptance`` unless said). The scale of a coordinate is its standard deviation over all chains and the
    steps of a window, over the energy's own unit. Windows are Stan's: an eighth of the steps for the step size
    alone, windows that double in length, an eighth for the step size again. Both are one for all chains and frozen
    afterwards, so that the sampler that is returned leaves its target invariant.

    A step size that is wrong by more than a factor of a hundred is replaced before it is adapted. Until the first
    scale is known, a trajectory of NUTS has at most 2^8 points. Raises `ValueError` for a sampler without a step size
    to adapt, and when the energies at ``x`` are not finite; `UserError` when no step size fits the energy.
    """
    adapted: Any = sampler
    wanted = wanted_acceptance(sampler, accept, "warm_up")
    state = adapted.init(x, target)
    if not torch.isfinite(state.energy).all():
        raise ValueError("warm_up: the chains start at points whose energy is not finite")
    # the kernels multiply the energy's unit of length by the scale; where the unit is 0 nothing moves
    unit = torch.as_tensor(target.scale, dtype=x.dtype, device=x.device)
    unit = torch.where(unit == 0, 1.0, unit)
    first = _plausible(adapted, fixed(adapted.step_size), state, target, rng)
    averaging, moments, ends = DualAveraging(first, wanted), Moments(x), _windows(steps)
    with progress("warm-up", steps) as advance:
        for i in range(steps):
            adapted = replace(adapted, step_size=averaging.step_size)
            state, info = (_shallow(adapted, DEPTH) if i < ends[0] else adapted).step(state, target, rng)
            averaging = averaging.next(float(info.acceptance.mean()))
            if steps // 8 <= i < ends[-1]:
                moments.add(state.x / unit)
            if i + 1 in ends:
                adapted = replace(adapted, scale=moments.scale())
                first = _plausible(adapted, averaging.mean, state, target, rng)
                averaging, moments = DualAveraging(first, wanted, bold=1.0), Moments(x)
            advance(1)
    return replace(adapted, step_size=averaging.mean), state.x


def _shallow(sampler: Any, depth: int) -> Any:
    """NUTS with trajectories of at most 2^``depth`` points; other samplers as they are."""
    return replace(sampler, max_depth=min(sampler.max_depth, depth)) if hasattr(sampler, "max_depth") else sampler


def _plausible(sampler: Any, step_size: float, state: Any, target: Target, rng: torch.Generator) -> float:
    """``step_size``, or one that is accepted about half of the time where it is wrong by more than a factor of 100.

    Both are judged by single steps of the dynamics from where the chains are, with the same momenta for all. Costs
    two or three gradients where nothing is wrong, and at most two per power of ten. ``rng`` is not moved on.
    """
    if not torch.as_tensor(target.scale).any():  # nothing moves
        return step_size
    short = _shallow(replace(sampler, leapfrog=1) if hasattr(sampler, "leapfrog") else sampler, 1)
    start = rng.get_state()

    def acceptance(h: float) -> float:
        again = torch.Generator(rng.device)
        again.set_state(start)
        _, info = replace(short, step_size=h).step(state, target, again)
        return float(info.acceptance.mean().nan_to_num())

    here = acceptance(step_size)
    if here > 0.9 and acceptance(step_size * FAR) > 0.9:
        for power in range(1, POWERS):
            if acceptance(step_size * 10.0**power) < 0.5:
                return step_size * 10.0 ** (power - 1)
        raise UserError(
            f"warm_up: steps of every size up to {step_size * 10.0**POWERS:.0e} are accepted, so exp(-E) has no finite "
            "volume where the chains are: E is constant or falls for ever; give the energy a reference distribution"
        )
    if here < 0.1 and acceptance(step_size / FAR) < 0.1:
        for power in range(1, POWERS):
            if acceptance(step_size / 10.0**power) > 0.5:
                return step_size / 10.0**power
        raise UserError(
            f"warm_up: no step size from {step_size:.0e} down to {step_size / 10.0**POWERS:.0e} is accepted where the "
            "chains are: E is not finite or not smooth around them; start them elsewhere, or rescale the coordinates"
        )
    return step_size


def wanted_acceptance(sampler: object, accept: float | None, who: str) -> float:
    """``accept``, or else what the sampler aims at; a `ValueError` by ``who`` for one that cannot be adapted."""
    if not (hasattr(sampler, "target_acceptance") and hasattr(sampler, "scale")):
        raise ValueError(f"{who} adapts mala, hmc and nuts; {type(sampler).__name__} has no acceptance to follow")
    return float(sampler.target_acceptance if accept is None else accept)


def _windows(steps: int) -> list[int]:
    """The numbers of steps after which the scale is set anew; the last window takes what is left."""
    first, last = steps // 8, steps - steps // 8
    ends, size = [], max(25, (last - first) // 15)
    while first + 3 * size <= last:  # the next window, twice as long, must fit behind this one
        first += size
        ends.append(first)
        size *= 2
    return [*ends, last]


@dataclass(frozen=True)
class DualAveraging:
    """log h follows the acceptance (Hoffman and Gelman, JMLR 2014, sec. 3.2.1, with their t_0 = 10, kappa = 0.75).

    Their gamma of 0.05 is for one chain. The mean over many hardly fluctuates, and a gain that high then makes the
    step size swing for a hundred steps.
    """

    start: float
    wanted: float
    bold: float = 10.0
    """How far above the start to look first: theirs is 10. 1 goes on from a step size that is about right."""
    t: int = 0
    h_bar: float = 0.0
    log_mean: float = 0.0

    @property
    def step_size(self) -> float:
        """The step size of the next step."""
        if self.t == 0:
            return self.start
        return math.exp(math.log(self.bold * self.start) - math.sqrt(self.t) / GAMMA * self.h_bar)

    @property
    def mean(self) -> float:
        """The averaged step size, for use after the adaptation."""
        return math.exp(self.log_mean) if self.t else self.start

    def next(self, acceptance: float) -> DualAveraging:
        """The acceptance of the step made with `step_size` is known."""
        t = self.t + 1
        weight = 1 / (t + 10)
        h_bar = (1 - weight) * self.h_bar + weight * (self.wanted - acceptance)
        log_h = math.log(self.bold * self.start) - math.sqrt(t) / GAMMA * h_bar
        eta = t**-0.75
        return replace(self, t=t, h_bar=h_bar, log_mean=eta * log_h + (1 - eta) * self.log_mean)


class Moments:
    """Mean and variance of a coordinate over chains and steps, merged step by step (Chan et al., 1979)."""

    def __init__(self, like: Tensor) -> None:
        self.n = 0
        self.mean, self.square = (torch.zeros(like.shape[1:], dtype=like.dtype, device=like.device) for _ in range(2))

    def add(self, x: Tensor) -> None:
        """One step of all chains, [B, *event]."""
        n, mean = x.shape[0], x.mean(0)
        delta = mean - self.mean
        self.square += (x - mean).square().sum(0) + delta.square() * (self.n * n / (self.n + n))
        self.mean += delta * (n / (self.n + n))
        self.n += n

    def scale(self) -> Tensor:
        """Standard deviations, drawn towards 0.03 where there is little to go by (Stan); 1 where x stood still.

        They are drawn towards 0.03 times their root mean square where all are small.
        """
        variance = self.square / max(self.n - 1, 1)
        moved = variance > 0
        typical = float(variance[moved].mean().clamp(max=1)) if moved.any() else 1.0
        kept = variance * (self.n / (self.n + 5)) + 1e-3 * typical * (5 / (self.n + 5))
        return torch.where(moved, kept.sqrt(), 1.0)
