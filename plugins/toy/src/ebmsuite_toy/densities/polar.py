"""Densities in polar coordinates: rings, and the arms of a pinwheel."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ebmsuite.density import Density
from ebmsuite.space import Space
from ebmsuite.tree import Tree
from ebmsuite_toy.densities.base import log_normal, positive, single, vectors

__all__ = ["Pinwheel", "Rings"]

INNERMOST = 1e-6
"""Below this radius log p is constant: 1/r and the angle have no gradient at 0. The mass there is below 1e-6."""


class Rings(Density):
    """Rings of radius ``spacing``, 2 ``spacing``, ... with equal weight and radial standard deviation ``sd``.

    p(x) = 1 / (2 pi r) (1/K) sum_k N(r; k spacing, sd^2) / P(N > 0), r = |x|. The defaults are the rings of Nijkamp
    et al., AAAI 2020, in the units of their code. Their plots use 1 / (2 pi k spacing) instead of the exact
    1 / (2 pi r).
    """

    def __init__(self, rings: int = 4, spacing: float = 1.0, sd: float = 0.15, event: Space | None = None) -> None:
        super().__init__()
        positive(rings=rings, spacing=spacing, sd=sd)
        self.event = vectors(2, event)
        self.rings, self.spacing, self.sd = rings, spacing, sd

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        which = torch.randint(1, self.rings + 1, (n,), generator=rng, device=rng.device)
        r = _positive_normal(which * self.spacing, self.sd, rng)
        angle = 2 * math.pi * torch.rand(n, generator=rng, device=rng.device, dtype=torch.float64)
        return _from_polar(r, angle)

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        r, _ = _to_polar(x)
        radii = self.spacing * torch.arange(1, self.rings + 1, dtype=x.dtype, device=x.device)
        each = log_normal(r[:, None] - radii, self.sd) - torch.special.log_ndtr(radii / self.sd)  # [B, K]
        log_p: Tensor = torch.logsumexp(each, 1) - math.log(self.rings) - r.log() - math.log(2 * math.pi)
        return log_p


class Pinwheel(Density):
    """Bent arms: radius N(``radius``, ``sd``^2) truncated to r > 0, and angle N(arm + turn, ``width``^2) given r.

    The arms are at 2 pi k / ``arms`` with equal weight; the turn is ``twist`` r / ``radius`` (radians). The normal of
    the angle is wrapped around the circle. p(x) = p(r) p(angle | r) / r.
    """

    def __init__(
        self,
        arms: int = 5,
        radius: float = 2.0,
        sd: float = 0.6,
        width: float = 0.1,
        twist: float = 1.0,
        event: Space | None = None,
    ) -> None:
        super().__init__()
        positive(arms=arms, radius=radius, sd=sd, width=width)
        self.event = vectors(2, event)
        self.arms, self.radius, self.sd, self.width, self.twist = arms, radius, sd, width, twist

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        arm = torch.randint(self.arms, (n,), generator=rng, device=rng.device)
        r = _positive_normal(torch.full_like(arm, self.radius, dtype=torch.float64), self.sd, rng)
        noise = torch.randn(n, generator=rng, device=rng.device, dtype=torch.float64)
        return _from_polar(r, 2 * math.pi / self.arms * arm + self.twist * r / self.radius + self.width * noise)

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        r, angle = _to_polar(x)
        # all arms, each wrapped around the circle, sum to a normal wrapped with period 2 pi / arms
        period = 2 * math.pi / self.arms
        away = torch.remainder(angle - self.twist * r / self.radius + period / 2, period) - period / 2
        turns = math.ceil(8 * self.width / period) + 1  # beyond 8 sd the mass is negligible
        wraps = period * torch.arange(-turns, turns + 1, dtype=x.dtype, device=x.device)
        log_angle = torch.logsumexp(log_normal(away[:, None] + wraps, self.width), 1) - math.log(self.arms)
        above = r.new_tensor(self.radius / self.sd)
        log_r = log_normal(r - self.radius, self.sd) - torch.special.log_ndtr(above)
        log_p: Tensor = log_r + log_angle - r.log()
        return log_p


def _to_polar(x: Tensor) -> tuple[Tensor, Tensor]:
    """Radius and angle [B] of x [B, 2]. Points within INNERMOST are treated as (INNERMOST, 0), without gradient."""
    centre = x.square().sum(1, keepdim=True) < INNERMOST**2
    x = torch.where(centre, x.new_tensor([INNERMOST, 0.0]), x)
    return x.square().sum(1).sqrt(), torch.atan2(x[:, 1], x[:, 0])


def _from_polar(r: Tensor, angle: Tensor) -> Tensor:
    return single(torch.stack([r * angle.cos(), r * angle.sin()], 1))


def _positive_normal(mean: Tensor, sd: float, rng: torch.Generator) -> Tensor:
    """Draws of N(mean, sd^2) truncated to values above 0, float64 [B], by the inverse distribution function."""
    u = 1 - torch.rand(mean.shape, generator=rng, device=rng.device, dtype=torch.float64)  # in (0, 1]
    mean = mean.double()
    draws: Tensor = mean - sd * torch.special.ndtri(u * torch.special.ndtr(mean / sd))
    return draws
