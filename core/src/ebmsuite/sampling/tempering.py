"""Parallel tempering."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ebmsuite.sampling.kernel import Held, Sampler, Target, select, tempered

__all__ = ["Info", "ParallelTempering", "State"]


class State(NamedTuple):
    x: Tensor
    """The chain at the first temperature, the one that is kept."""
    replicas: tuple[Held, ...]
    """One per temperature; energies and gradients are of E / T."""
    odd: bool
    """Whether the odd pairs are proposed for exchange at the next step."""


class Info(NamedTuple):
    energy: Tensor
    """E / T [B] of the first temperature at the new point."""
    acceptance: Tensor
    """Acceptance [B] of the kernel at the first temperature."""
    swaps: Tensor
    """Probabilities [B, pairs] of the proposed exchanges, NaN for pairs that were not proposed at this step."""


@dataclass(frozen=True)
class ParallelTempering:
    """One chain per temperature T_1 < T_2 < ..., each moved by ``kernel`` on E / T, with exchanges of neighbours.

    Pair (r, r + 1) is exchanged with probability min(1, exp((1 / T_r - 1 / T_r+1) (E(x_r) - E(x_r+1)))) (Geyer,
    1991). Even and odd pairs alternate, so that a state can move through the temperatures without turning back (Syed et
    al., 2022).

    ``kernel`` is MALA, HMC or NUTS; its step size grows as sqrt(T). A step costs one kernel step per temperature;
    exchanges cost nothing.
    """

    kernel: Sampler
    temperatures: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)

    continuous: ClassVar[bool] = True
    adjusted: ClassVar[bool] = True

    def __post_init__(self) -> None:
        T = self.temperatures
        if len(T) < 2 or T[0] <= 0 or any(low >= high for low, high in pairwise(T)):
            raise ValueError(f"parallel-tempering: temperatures must be positive and increasing, got {T}")
        if not (self.kernel.adjusted and self.kernel.continuous):
            raise ValueError("parallel-tempering: the kernel must be mala, hmc or nuts")

    def implied_temperature(self) -> float:
        """The first temperature, that of the chain that is kept."""
        return self.temperatures[0]

    def init(self, x: Tensor, target: Target) -> State:
        return State(x, tuple(self.kernel.init(x, tempered(target, T)) for T in self.temperatures), False)

    def step(self, state: State, target: Target, rng: torch.Generator) -> tuple[State, Info]:
        T, replicas, first = self.temperatures, [], None
        for held, t in zip(state.replicas, T, strict=True):
            held, info = self.kernel.step(held, tempered(target, t), rng)
            replicas.append(held)
            first = first or info
        swaps = torch.full((len(state.x), len(T) - 1), torch.nan, dtype=replicas[0].energy.dtype, device=state.x.device)
        for r in range(int(state.odd), len(T) - 1, 2):
            cold, hot = _at(replicas[r], T[r]), _at(replicas[r + 1], T[r + 1])
            log_a = (1 / T[r] - 1 / T[r + 1]) * (cold.energy - hot.energy)
            swaps[:, r] = log_a.clamp(max=0).exp().nan_to_num(0.0)
            change = torch.rand(log_a.shape, generator=rng, device=log_a.device) < swaps[:, r]
            cold, hot = select(change, hot, cold), select(change, cold, hot)
            replicas[r], replicas[r + 1] = _at(cold, 1 / T[r]), _at(hot, 1 / T[r + 1])
        assert first is not None
        x = replicas[0].x
        return State(x, tuple(replicas), not state.odd), Info(replicas[0].energy, first.acceptance, swaps)


def _at(held: Held, temperature: float) -> Held:
    """Multiply energy and gradient by T."""
    return Held(held.x, held.energy * temperature, held.gradient * temperature)
