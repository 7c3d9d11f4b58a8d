"""Generators: top-down nets from a latent vector to an event."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from ebmsuite.density import Density, event_sum
from ebmsuite.energy import Energy, full_precision, in_precision
from ebmsuite.errors import UserError
from ebmsuite.tree import Tree

__all__ = ["Generator", "NormalGenerator", "Posterior"]


class Generator(nn.Module):
    """p(x | z, condition), with z from ``latent``.

    A subclass says how likely an event is (`log_prob`, which chains on z differentiate) and which event it shows for
    a latent vector (`decode`).
    """

    component_kind: ClassVar[str] = "generator"
    passes_condition: ClassVar[bool] = False
    """Whether it passes its condition on to a net, which must then have been built for one."""
    autocast: torch.dtype | None = None
    """The precision that its nets compute in; None is that of their weights."""

    def __init__(self, latent: Density) -> None:
        super().__init__()
        self.latent = latent

    def log_prob(self, x: Tensor, z: Tensor, condition: Tree = None) -> Tensor:
        """log p(x | z, condition), [B]."""
        raise NotImplementedError(f"{type(self).__name__} defines no log_prob")

    def draw(self, z: Tensor, rng: torch.Generator, condition: Tree = None) -> Tensor:
        """One x ~ p(x | z, condition) for every z, which can be differentiated in both; where x is continuous."""
        raise UserError(f"{type(self).__name__} has no draws that can be differentiated, which this trainer needs")

    def decode(self, z: Tensor, rng: torch.Generator, condition: Tree = None) -> Tensor:
        """One event for every z, [B, *event]."""
        raise NotImplementedError(f"{type(self).__name__} defines no decode")

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        """``n`` events of latent vectors from ``latent``."""
        return self.decode(self.latent.sample(n, rng, condition), rng, condition)


class NormalGenerator(Generator):
    """x = g(z, condition) + e, e ~ N(0, sd^2 I) (Han et al., AAAI 2017). It shows the mean, as the papers do."""

    passes_condition: ClassVar[bool] = True

    def __init__(self, net: nn.Module, latent: Density, sd: float) -> None:
        super().__init__(latent)
        self.net, self.sd = net, sd

    def forward(self, z: Tensor, condition: Tree = None) -> Tensor:
        """The mean of x, [B, *event]."""
        with in_precision(self.autocast, z):
            mean: Tensor = self.net(z) if condition is None else self.net(z, condition)
        return full_precision(mean)

    def log_prob(self, x: Tensor, z: Tensor, condition: Tree = None, known: Tensor | None = None) -> Tensor:
        """log p(x | z, condition), [B]; of the coordinates that are ``known`` where some are not."""
        squares, size = (x - self(z, condition)).square(), x[0].numel()
        of = size if known is None else event_sum(known)
        squares = event_sum(squares if known is None else squares * known)
        return -squares / (2 * self.sd**2) - of * (math.log(self.sd) + math.log(2 * math.pi) / 2)

    def draw(self, z: Tensor, rng: torch.Generator, condition: Tree = None) -> Tensor:
        mean: Tensor = self(z, condition)
        return mean + self.sd * torch.randn(mean.shape, generator=rng, device=mean.device, dtype=mean.dtype)

    def decode(self, z: Tensor, rng: torch.Generator, condition: Tree = None) -> Tensor:
        mean: Tensor = self(z, condition)
        return mean


class Posterior(Energy):
    """E(z) = E_prior(z) - log p(x | z): the latent vector given an event (Pang et al., NeurIPS 2020, eq. 8).

    The condition is ``(x, inner)``, or ``(x, inner, known)`` where not all coordinates of x are: then p(x | z) is that
    of those which are (Han et al., AAAI 2017, sec. "learning from incomplete data").
    """

    def __init__(self, prior: Energy, generator: Generator) -> None:
        super().__init__()
        self.prior = prior
        self.generator = generator

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        observed, inner, *known = condition
        energy: Tensor = self.prior(x, inner) - self.generator.log_prob(observed, x, inner, *known)
        return energy
