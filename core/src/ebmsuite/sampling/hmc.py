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
    """Hamiltonian Monte Carlo: momentum p ~ N(0, I), then ``leapfrog`` steps of

        p <- p - (h / 2) s dE/dx,   x <- x + h s p,   p <- p - (h / 2) s dE/dx.

    The end is accepted with probability min(1, exp(H - H')), H = E(x) + |p|^2 / 2 (Duane et al., 1987; Neal, 2011).
    s is the energy's unit of length times ``scale`` [*event]: the mass of a coordinate is 1 / s^2.

    The step size of each chain is h times a factor drawn from [1 - jitter, 1 + jitter], since trajectories of a fixed
    length can be periodic (Neal, 2011, sec. 3.2). A step costs ``leapfrog`` evaluations.
    """

    step_size: Number
    leapfrog: int = 10
    jitter: float = 0.1
    scale: Tensor | None = field(default=None, compare=False)
    """The unit of length per coordinate that `warm_up` learns, 1 / sqrt(mass)."""

    continuous: ClassVar[bool] = True
    adjusted: ClassVar[bool] = True
    target_acceptance: ClassVar[float] = 0.9
    """Higher than the 0.65 to 0.8 that is best for a Gaussian: at 0.8, chains get stuck in the narrow parts of a banana
    or a funnel, and a gradient evaluation gives a tenth of the effective samples (docs/results/speed.md)."""

    def __post_init__(self) -> None:
        if self.leapfrog < 1 or not 0 <= self.jitter < 1:
            raise ValueError(
                f"hmc: leapfrog must be at least 1 and jitter in [0, 1), got {self.leapfrog} and {self.jitter}"
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
    """One leapfrog step for H = E(x) + |p|^2 / 2. A negative step size goes backwards.

    ``hs`` is the step size h times the unit of length s; it broadcasts against x.
    """
    p = torch.addcmul(p, hs, state.gradient, value=-0.5)
    state = hold(torch.addcmul(state.x, hs, p), target)
    return state, torch.addcmul(p, hs, state.gradient, value=-0.5)
