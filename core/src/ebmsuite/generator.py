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

    A subclass defines the likelihood of an event (`log_prob`, which must be differentiable in z for chains on z) and
    the event that it returns for a latent vector (`decode`).
    """

    component_kind: ClassVar[str] = "generator"
    passes_condition: ClassVar[bool] = False
    """Whether it passes its condition on to a net. The net must then have been built for a condition."""
    draws_events: ClassVar[bool] = False
    """Whether `decode` draws an event given z, so that ``temperature`` and ``likeliest`` change what it returns."""
    autocast: torch.dtype | None = None
    """The precision of its nets; None uses the precision of their weights."""

    def __init__(self, latent: Density) -> None:
        super().__init__()
        self.latent = latent

    def log_prob(self, x: Tensor, z: Tensor, condition: Tree = None) -> Tensor:
        """log p(x | z, condition), [B]."""
        raise NotImplementedError(f"{type(self).__name__} defines no log_prob")

    def draw(self, z: Tensor, rng: torch.Generator, condition: Tree = None) -> Tensor:
        """One x ~ p(x | z, condition) per z, differentiable in z and in the parameters; for continuous x only."""
        raise UserError(f"{type(self).__name__} has no differentiable draws, which this trainer needs")

    def decode(
        self,
        z: Tensor,
        rng: torch.Generator,
        condition: Tree = None,
        temperature: float = 1.0,
        likeliest: bool = False,
    ) -> Tensor:
        """One event per z, [B, *event].

        A generator of discrete events draws x from p(x | z, condition), or from the distribution that a ``temperature``
        other than 1 makes of it; with ``likeliest`` it returns a most likely event. A generator of continuous events
        returns the mean, which is the likeliest event at every temperature: the observation noise is left out.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no decode")

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        """``n`` events, decoded from latent vectors drawn from ``latent``."""
        return self.decode(self.latent.sample(n, rng, condition), rng, condition)


class NormalGenerator(Generator):
    """x = g(z, condition) + e, e ~ N(0, sd^2 I) (Han et al., AAAI 2017).

    As in the papers, `decode` gives the mean, without e. So ``temperature`` and ``likeliest`` change nothing.
    """

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
        """log p(x | z, condition), [B]. With ``known`` (boolean like x), of the known coordinates only."""
        squares, size = (x - self(z, condition)).square(), x[0].numel()
        of = size if known is None else event_sum(known)
        squares = event_sum(squares if known is None else squares * known)
        return -squares / (2 * self.sd**2) - of * (math.log(self.sd) + math.log(2 * math.pi) / 2)

    def draw(self, z: Tensor, rng: torch.Generator, condition: Tree = None) -> Tensor:
        mean: Tensor = self(z, condition)
        return mean + self.sd * torch.randn(mean.shape, generator=rng, device=mean.device, dtype=mean.dtype)

    def decode(
        self,
        z: Tensor,
        rng: torch.Generator,
        condition: Tree = None,
        temperature: float = 1.0,
        likeliest: bool = False,
    ) -> Tensor:
        mean: Tensor = self(z, condition)
        return mean


class Posterior(Energy):
    """E(z) = E_prior(z) - log p(x | z), for a latent vector given an event (Pang et al., NeurIPS 2020, eq. 8).

    The condition is ``(x, inner)``, or ``(x, inner, known)`` when some coordinates of x are unknown. p(x | z) is then
    the likelihood of the known coordinates (Han et al., AAAI 2017, sec. "learning from incomplete data").
    """

    def __init__(self, prior: Energy, generator: Generator) -> None:
        super().__init__()
        self.prior = prior
        self.generator = generator

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        observed, inner, *known = condition
        energy: Tensor = self.prior(x, inner) - self.generator.log_prob(observed, x, inner, *known)
        return energy
