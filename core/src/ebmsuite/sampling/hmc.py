"""Hamiltonian Monte Carlo."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.density import event_sum
from ebmsuite.sampling.kernel import Held, Info, Target, hold, metropolis, normal_like, per_row, uniform_like, unit
from ebmsuite.schedule import Number, fixed

__all__ = ["HMC", "Info", "leapfrog"]


@dataclass(frozen=True)
class HMC:
    """Momentum p ~ N(0, I); ``leapfrog`` steps of

        p <- p - (h / 2) s dE/dx,   x <- x + h s p,   p <- p - (h / 2) s dE/dx;

    the end is taken with probability min(1, exp(H - H')), H = E(x) + |p|^2 / 2 (Duane et al., 1987; Neal, 2011).
    s is the energy's unit of length times ``scale`` [*event]: the mass of a coordinate is 1 / s^2.

    Each chain's step is h times a factor drawn from [1 - jitter, 1 + jitter], since trajectories of one length can
    be periodic (Neal, 2011, sec. 3.2). ``leapfrog`` evaluations a step.
    """

    step_size: Number
    leapfrog: int = 10
    jitter: float = 0.1
    scale: Tensor | None = field(default=None, compare=False)
    """What `warm_up` learns: a unit of length a coordinate, 1 / sqrt(mass)."""

    continuous: ClassVar[bool] = True
    adjusted: ClassVar[bool] = True
    target_acceptance: ClassVar[float] = 0.9
    """More than the 0.65 to 0.8 that suits a Gaussian: at 0.8 chains stick where a banana or a funnel is narrow, and a
    gradient gives a tenth of the effective samples (docs/results/speed.md)."""

    def __post_init__(self) -> None:
        if self.leapfrog < 1 or not 0 <= self.jitter < 1:
            raise ValueError(
                f"hmc: leapfrog must be 1 at least and jitter in [0, 1), got {self.leapfrog} and {self.jitter}"
            )

    def init(self, x: Tensor, target: Target) -> Held:
        return hold(x, target)

    def step(self, state: Held, target: Target, rng: torch.Generator) -> tuple[Held, Info]:
        s = unit(target, self.scale)
        p = start = normal_like(state.x, rng)
        u = uniform_like(state.energy, rng)
        h = per_row(fixed(self.step_size) * (1 + self.jitter * (2 * u - 1)), p)
        new = state
        for _ in range(self.leapfrog):
            new, p = leapfrog(new, p, h * s, target)
        log_a = state.energy - new.energy + event_sum((start - p) * (start + p)) / 2
        return metropolis(log_a, new, state, rng)


def leapfrog(state: Held, p: Tensor, hs: Tensor, target: Target) -> tuple[Held, Tensor]:
    """One step of size h of H = E(x) + |p|^2 / 2 in units s of length; a negative h goes back. hs broadcasts to x."""
    p = torch.addcmul(p, hs, state.gradient, value=-0.5)
    state = hold(torch.addcmul(state.x, hs, p), target)
    return state, torch.addcmul(p, hs, state.gradient, value=-0.5)
