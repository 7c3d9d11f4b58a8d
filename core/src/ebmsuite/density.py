"""Densities: drawn from and normalised. References, noise, flows and encoders are densities."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.energy import Energy
from ebmsuite.space import Space
from ebmsuite.tree import Tree

__all__ = ["Categorical", "Density", "Gaussian", "Uniform", "event_sum"]


def event_sum(x: Tensor) -> Tensor:
    """Sum over all but the batch, [B]."""
    return x.flatten(1).sum(1)


class Density(Energy):
    """An energy whose normalising constant is known and that can be drawn from.

    ``forward`` may leave out constants; ``log_prob`` does not.
    """

    component_kind: ClassVar[str] = "density"

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        return -self.log_prob(x, condition)

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        """``n`` independent draws, [n, *event], on the device of ``rng``."""
        raise NotImplementedError(f"{type(self).__name__} defines no sample")

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        """Normalised log-density [B]."""
        raise NotImplementedError(f"{type(self).__name__} defines no log_prob")


class Gaussian(Density):
    """N(mean, sd^2 I). As a reference its energy is |x - mean|^2 / (2 sd^2)."""

    def __init__(self, event: Space, mean: float = 0.0, sd: float = 1.0) -> None:
        super().__init__()
        if sd <= 0:
            raise ValueError(f"a Gaussian needs sd > 0, got {sd}")
        self.event, self.mean, self.sd = event, mean, sd

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        return event_sum(((x - self.mean) / self.sd).square()) / 2

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        noise = torch.randn((n, *self.event.fixed), generator=rng, device=rng.device)
        return self.mean + self.sd * noise

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        size = x[0].numel()
        energy: Tensor = self(x)
        return -energy - size * (math.log(self.sd) + math.log(2 * math.pi) / 2)


class Uniform(Density):
    """Uniform on [low, high] in every coordinate.

    As a reference its energy is 0 everywhere: the papers' chains run free of the walls (Nijkamp et al., 2019).
    ``log_prob`` knows the walls.
    """

    def __init__(self, event: Space, low: float = -1.0, high: float = 1.0) -> None:
        super().__init__()
        if low >= high:
            raise ValueError(f"Uniform needs low < high, got {low} and {high}")
        self.event, self.low, self.high = event, low, high

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        return x.new_zeros(x.shape[0])

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        noise = torch.rand((n, *self.event.fixed), generator=rng, device=rng.device)
        return self.low + (self.high - self.low) * noise

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        inside = ((x >= self.low) & (x <= self.high)).flatten(1).all(1)
        log_volume = x[0].numel() * math.log(self.high - self.low)
        return torch.where(inside, -log_volume, -math.inf).to(x.dtype)


class Categorical(Density):
    """Uniform over the categories at every site of a one-hot event [*sites, C].

    As a reference its energy is 0 everywhere.
    """

    def __init__(self, event: Space) -> None:
        super().__init__()
        if event.kind != "one-hot":
            raise ValueError(f"Categorical is for one-hot events, got {event.kind} events")
        self.event = event

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        return x.new_zeros(x.shape[0])

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        *sites, categories = self.event.fixed
        drawn = torch.randint(categories, (n, *sites), generator=rng, device=rng.device)
        return torch.eye(categories, device=rng.device)[drawn]

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        sites = x[0, ..., 0].numel()
        return x.new_full((x.shape[0],), -sites * math.log(x.shape[-1]))
