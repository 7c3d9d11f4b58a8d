"""Descent: Langevin dynamics at temperature zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.sampling.kernel import Target
from ebmsuite.sampling.langevin import Info, State
from ebmsuite.schedule import Number, fixed

__all__ = ["Descent", "Info", "State"]


@dataclass(frozen=True)
class Descent:
    """x <- x - w s^2 dE/dx: gradient descent to a mode, which is `Langevin` without noise."""

    gradient_weight: Number

    continuous: ClassVar[bool] = True
    adjusted: ClassVar[bool] = False

    def implied_temperature(self) -> float:
        """0: the chains end at a mode."""
        return 0.0

    def init(self, x: Tensor, target: Target) -> State:
        return State(target.place(x))

    def step(self, state: State, target: Target, rng: torch.Generator) -> tuple[State, Info]:
        w, s = fixed(self.gradient_weight), target.scale
        energy, gradient = target.value_and_grad(state.x)
        return State(target.place(state.x - (w * s * s) * gradient)), Info(energy)
