"""Annealed Langevin dynamics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ebmsuite.sampling.kernel import Target
from ebmsuite.sampling.langevin import Info, Langevin
from ebmsuite.sampling.langevin import State as Point

__all__ = ["AnnealedLangevin", "Info", "State"]


class State(NamedTuple):
    x: Tensor
    done: int
    """Number of steps so far."""


@dataclass(frozen=True)
class AnnealedLangevin:
    """Langevin dynamics with falling temperature: x <- x - (h^2 / 2) s^2 dE/dx + h sqrt(T_k) s e, with e ~ N(0, I).

    The temperature falls geometrically from T_0 = ``start`` to ``end`` over the first ``over`` steps and then stays
    there (simulated annealing, Kirkpatrick et al., 1983, with Langevin moves; Song and Ermon, NeurIPS 2019, anneal
    noise levels instead of temperatures). Each run of a chain starts at T_0.
    """

    step_size: float
    over: int
    start: float = 10.0
    end: float = 1.0

    continuous: ClassVar[bool] = True
    adjusted: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.over < 2 or min(self.start, self.end) <= 0:
            raise ValueError(
                f"annealed-langevin: over must be at least 2 and temperatures positive, got over={self.over}, "
                f"start={self.start}, end={self.end}"
            )

    def temperature(self, k: int) -> float:
        """T_k."""
        return float(self.start * (self.end / self.start) ** min(k / (self.over - 1), 1.0))

    def implied_temperature(self) -> float:
        """The last temperature."""
        return self.end

    def init(self, x: Tensor, target: Target) -> State:
        return State(x, 0)

    def step(self, state: State, target: Target, rng: torch.Generator) -> tuple[State, Info]:
        noise = self.step_size * math.sqrt(self.temperature(state.done))
        kernel = Langevin(step_size=self.step_size, noise_scale=noise)
        point, info = kernel.step(Point(state.x), target, rng)
        return State(point.x, state.done + 1), info
