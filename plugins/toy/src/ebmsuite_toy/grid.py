"""Grids of cells in the plane, and normalising constants by the midpoint rule."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmsuite.errors import UserError
from ebmsuite.model import Model
from ebmsuite.sampling import Langevin, Phase

__all__ = ["Grid", "LogDensity", "log_density", "temperature"]


@dataclass(frozen=True)
class Grid:
    """``n`` x ``n`` square cells over [low_0, low_0 + side] x [low_1, low_1 + side]."""

    low: tuple[float, float]
    side: float
    n: int

    @classmethod
    def around(cls, x: Tensor, n: int, margin: float = 0.25) -> Grid:
        """The square grid around the points x [N, 2], extended on every side by ``margin`` times their extent."""
        if x.shape[1:] != (2,):
            raise UserError(
                f"densities are summed over a grid in the plane; events must be [2], got {list(x.shape[1:])}"
            )
        low, high = x.amin(0).double(), x.amax(0).double()
        side = (1 + 2 * margin) * max(float((high - low).max()), 1e-6)
        first, second = ((low + high) / 2 - side / 2).tolist()
        return cls((first, second), side, n)

    @property
    def log_cell(self) -> float:
        """Logarithm of the area of a cell."""
        return 2 * math.log(self.side / self.n)

    def points(self) -> Tensor:
        """The centres of the cells, float64 [n * n, 2]; the second coordinate varies slowest."""
        middles = (torch.arange(self.n, dtype=torch.float64) + 0.5) * (self.side / self.n)
        second, first = torch.meshgrid(self.low[1] + middles, self.low[0] + middles, indexing="ij")
        return torch.stack([first, second], 2).flatten(0, 1)

    def extent(self) -> tuple[float, float, float, float]:
        """(left, right, bottom, top)."""
        return self.low[0], self.low[0] + self.side, self.low[1], self.low[1] + self.side

    def edge(self, log_p: Tensor) -> float:
        """The fraction of the mass of log p [n * n] in the outer frame, whose width is a twentieth of the side."""
        wide = max(1, self.n // 20)
        mass = log_p.exp().view(self.n, self.n)
        return max(0.0, float(1 - mass[wide:-wide, wide:-wide].sum() / mass.sum()))

    def __str__(self) -> str:
        left, right, bottom, top = self.extent()
        return f"{self.n} x {self.n} cells on [{left:.3g}, {right:.3g}] x [{bottom:.3g}, {top:.3g}]"


@dataclass(frozen=True)
class LogDensity:
    """log p = -E / T - log Z of a model in the plane, with log Z summed over a grid."""

    model: Model
    grid: Grid
    temperature: float
    log_z: float
    on_grid: Tensor
    """[n * n], float64."""
    label: int | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Log-densities [B] of points [B, 2], float64 on the CPU."""
        return -_energies(self.model, x, self.label) / self.temperature - self.log_z


def log_density(model: Model, grid: Grid, T: float = 1.0, label: int | None = None) -> LogDensity:
    """Normalise exp(-E / T) on the grid, given a label for a conditional energy. Mass outside it is ignored."""
    minus = -_energies(model, grid.points(), label) / T
    log_z = float(torch.logsumexp(minus, 0)) + grid.log_cell
    if not math.isfinite(log_z):
        raise UserError(f"{model.recipe.recipe}: the energy is not finite on the grid (step {model.step})")
    return LogDensity(model, grid, T, log_z, minus - log_z, label)


def temperature(phase: Phase | None) -> float:
    """T of the density exp(-E / T) that the chains of a phase sample.

    Langevin dynamics with gradient weight w and noise scale n has T = n^2 / 2w. For other samplers, or None, T = 1.
    """
    if phase is None or not isinstance(phase.sampler, Langevin):
        return 1.0
    w, n = phase.sampler.weights()
    if n <= 0 or w <= 0:
        raise UserError("chains without noise or without gradient have no temperature, so the model has no density")
    return phase.sampler.implied_temperature()


def _energies(model: Model, x: Tensor, label: int | None = None) -> Tensor:
    values = []
    for part in torch.split(x.to(torch.get_default_dtype()), 16_384):  # to bound the memory of wide nets
        given = None if label is None else torch.full((len(part),), label, device=model.device)
        values.append(model.energy(part, given).double().cpu())
    return torch.cat(values)
