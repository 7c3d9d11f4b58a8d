"""Metropolis-adjusted Langevin dynamics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.density import event_sum
from ebmsuite.sampling.kernel import Held, Info, Target, hold, metropolis, normal_like, unit
from ebmsuite.schedule import Number, fixed

__all__ = ["MALA", "Info"]


@dataclass(frozen=True)
class MALA:
    """MALA: x' = x - (h^2 / 2) s^2 dE/dx + h s e, with e ~ N(0, I), accepted with probability min(1, a), where

        log a = E(x) - E(x') + d . (e - d / 2),   d = (h / 2) s (dE/dx + dE/dx').

    (Roberts and Tweedie, 1996.) d - e is the noise that leads back from x' to x, so the ratio of the proposal
    densities needs no division by h or s. s is the energy's unit of length times ``scale`` [*event].

    A step costs one evaluation.
    """

    step_size: Number
    scale: Tensor | None = field(default=None, compare=False)
    """The unit of length per coordinate that `warm_up` learns, 1 / sqrt(mass)."""

    continuous: ClassVar[bool] = True
    adjusted: ClassVar[bool] = True
    target_acceptance: ClassVar[float] = 0.574
    """Optimal in high dimension (Roberts and Rosenthal, 1998)."""

    def init(self, x: Tensor, target: Target) -> Held:
        return hold(x, target)

    def step(self, state: Held, target: Target, rng: torch.Generator) -> tuple[Held, Info]:
        h, s = fixed(self.step_size), unit(target, self.scale)
        x, energy, gradient = state
        e = normal_like(x, rng)
        new = hold(x - (h * h / 2 * s * s) * gradient + (h * s) * e, target)
        d = (h / 2 * s) * (gradient + new.gradient)
        log_a = energy - new.energy + event_sum(d * (e - d / 2))
        return metropolis(log_a, new, state, rng)
