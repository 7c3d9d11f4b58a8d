"""Adaptation of a sampler's step size and scale, before the chains whose draws are used."""

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
"""The factor by which a step size may be wrong before a search replaces it."""
POWERS = 30
"""Number of powers of ten that the search for a step size covers."""
DEPTH = 8
"""Maximal number of doublings of a NUTS trajectory before the first scale is known."""


def warm_up(
    sampler: S, target: Target, x: Tensor, steps: int, rng: torch.Generator, accept: float | None = None
) -> tuple[S, Tensor]:
    """A copy of ``sampler`` (MALA, HMC or NUTS) with adapted step size and scale, and the ends of the warm-up chains.

    Dual averaging adapts the step size until the acceptance, averaged over chains, is ``accept`` (default: the kernel's
    ``target_acceptance``). The scale of a coordinate is its standard deviation over all chains and all steps of a
    window, divided by the energy's unit of length. The windows follow Stan: an eighth of the steps for the step size
    alone, then windows that double in length, then an eighth for the step size again. All chains share the step size
    and the scale. Both are fixed afterwards, so the returned sampler leaves its target invariant.

    A step size that is wrong by more than a factor of a hundred is replaced before it is adapted. Until the first
    scale is known, a NUTS trajectory has at most 2^8 points. Raises `ValueError` for a sampler without a step size to
    adapt and if the energies at ``x`` are not finite, and `UserError` if no step size suits the energy.
    """
    adapted: Any = sampler
    wanted = wanted_acceptance(sampler, accept, "warm_up")
    state = adapted.init(x, target)
    if not torch.isfinite(state.energy).all():
        raise ValueError("warm_up: the chains start at points whose energy is not finite")
    # kernels multiply the energy's unit of length by the scale; coordinates of unit 0 do not move
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
    """Limit NUTS to trajectories of at most 2^``depth`` points; other samplers are returned unchanged."""
    return replace(sampler, max_depth=min(sampler.max_depth, depth)) if hasattr(sampler, "max_depth") else sampler


def _plausible(sampler: Any, step_size: float, state: Any, target: Target, rng: torch.Generator) -> float:
    """``step_size``, or one with an acceptance of about 0.5 if ``step_size`` is wrong by more than a factor of 100.

    Step sizes are tested by single steps of the dynamics from the current state, all with the same momenta. The cost
    is two or three gradients if the step size is right, and at most two per power of ten. ``rng`` does not advance.
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
            "integral: E is constant or falls without limit; give the energy a reference distribution"
        )
    if here < 0.1 and acceptance(step_size / FAR) < 0.1:
        for power in range(1, POWERS):
            if acceptance(step_size / 10.0**power) > 0.5:
                return step_size / 10.0**power
        raise UserError(
            f"warm_up: no step size from {step_size:.0e} down to {step_size / 10.0**POWERS:.0e} is accepted: E is not "
            "finite or not smooth around the chains; start them elsewhere, or rescale the coordinates"
        )
    return step_size


def wanted_acceptance(sampler: object, accept: float | None, who: str) -> float:
    """``accept`` or, if None, the sampler's target. Raises `ValueError`, naming ``who``, if it cannot be adapted."""
    if not (hasattr(sampler, "target_acceptance") and hasattr(sampler, "scale")):
        raise ValueError(f"{who} adapts mala, hmc and nuts; {type(sampler).__name__} has no target acceptance")
    return float(sampler.target_acceptance if accept is None else accept)


def _windows(steps: int) -> list[int]:
    """The step numbers after which the scale is updated. The last window takes the remaining steps."""
    first, last = steps // 8, steps - steps // 8
    ends, size = [], max(25, (last - first) // 15)
    while first + 3 * size <= last:  # the next window, twice as long, must fit after this one
        first += size
        ends.append(first)
        size *= 2
    return [*ends, last]


@dataclass(frozen=True)
class DualAveraging:
    """Dual averaging of log h (Hoffman and Gelman, JMLR 2014, sec. 3.2.1, with their t_0 = 10, kappa = 0.75).

    Their gamma of 0.05 is for one chain. The mean acceptance over many chains hardly fluctuates, and the high gain of
    that gamma would make the step size oscillate for a hundred steps.
    """

    start: float
    wanted: float
    bold: float = 10.0
    """Factor by which the search starts above ``start``; theirs is 10. Use 1 if ``start`` is about right."""
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
        """The state after a step with `step_size` that had this acceptance."""
        t = self.t + 1
        weight = 1 / (t + 10)
        h_bar = (1 - weight) * self.h_bar + weight * (self.wanted - acceptance)
        log_h = math.log(self.bold * self.start) - math.sqrt(t) / GAMMA * h_bar
        eta = t**-0.75
        return replace(self, t=t, h_bar=h_bar, log_mean=eta * log_h + (1 - eta) * self.log_mean)


class Moments:
    """Mean and variance per coordinate over chains and steps, merged step by step (Chan et al., 1979)."""

    def __init__(self, like: Tensor) -> None:
        self.n = 0
        self.mean, self.square = (torch.zeros(like.shape[1:], dtype=like.dtype, device=like.device) for _ in range(2))

    def add(self, x: Tensor) -> None:
        """Add one step of all chains, [B, *event]."""
        n, mean = x.shape[0], x.mean(0)
        delta = mean - self.mean
        self.square += (x - mean).square().sum(0) + delta.square() * (self.n * n / (self.n + n))
        self.mean += delta * (n / (self.n + n))
        self.n += n

    def scale(self) -> Tensor:
        """Standard deviations, shrunk towards 0.03 if there are few points (Stan); 1 for coordinates that did not move.

        If the root mean square of the standard deviations is below 1, they are shrunk towards 0.03 times it.
        """
        variance = self.square / max(self.n - 1, 1)
        moved = variance > 0
        typical = float(variance[moved].mean().clamp(max=1)) if moved.any() else 1.0
        kept = variance * (self.n / (self.n + 5)) + 1e-3 * typical * (5 / (self.n + 5))
        return torch.where(moved, kept.sqrt(), 1.0)
