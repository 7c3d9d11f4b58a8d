"""Noise densities from which chains of pictures start."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmsuite.density import Uniform
from ebmsuite.tree import Tree

__all__ = ["GreyNoise"]


class GreyNoise(Uniform):
    """A density of grey pictures: each pixel is uniform on [low, high], with the same value in all channels."""

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        channels = self.event.fixed[0]
        grey = torch.rand((n, 1, *self.event.fixed[1:]), generator=rng, device=rng.device)
        return (self.low + (self.high - self.low) * grey).repeat(1, channels, 1, 1)

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        """Log density [B] with respect to the Lebesgue measure on grey pictures; -inf for any other picture."""
        grey = (x == x[:, :1]).flatten(1).all(1)
        inside = super().log_prob(x, condition) / x.shape[1]
        return torch.where(grey, inside, -torch.inf)
