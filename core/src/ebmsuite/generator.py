"""Generators: top-down nets from a latent vector to an event."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from ebmsuite.density import Density, event_sum
from ebmsuite.energy import full_precision, in_precision
from ebmsuite.tree import Tree

__all__ = ["Generator"]


class Generator(nn.Module):
    """x = g(z, condition) + e, with z from ``latent`` and e ~ N(0, sd^2 I) (Han et al., AAAI 2017).

    Override `log_prob` and `sample` for another observation model (an autoregressive decoder, say).
    """

    component_kind: ClassVar[str] = "generator"
    autocast: torch.dtype | None = None

    def __init__(self, net: nn.Module, latent: Density, sd: float) -> None:
        super().__init__()
        self.net = net
        self.latent = latent
        self.sd = sd

    def forward(self, z: Tensor, condition: Tree = None) -> Tensor:
        """The mean of x, [B, *event]."""
        with in_precision(self.autocast, z):
            mean: Tensor = self.net(z) if condition is None else self.net(z, condition)
        return full_precision(mean)

    def log_prob(self, x: Tensor, z: Tensor, condition: Tree = None) -> Tensor:
        """log p(x | z, condition), [B]."""
        size = x[0].numel()
        squares = event_sum((x - self(z, condition)).square())
        return -squares / (2 * self.sd**2) - size * (math.log(self.sd) + math.log(2 * math.pi) / 2)

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        """``n`` means g(z) of latent vectors from ``latent``."""
        mean: Tensor = self(self.latent.sample(n, rng, condition), condition)
        return mean

    def draw(self, z: Tensor, rng: torch.Generator, condition: Tree = None) -> Tensor:
        """One x for every z, with the observation noise."""
        mean: Tensor = self(z, condition)
        return mean + self.sd * torch.randn(mean.shape, generator=rng, device=mean.device, dtype=mean.dtype)
