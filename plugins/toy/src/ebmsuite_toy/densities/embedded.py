"""A mixture in the plane behind a known generator, to evaluate models with a latent vector."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ebmsuite.space import Space
from ebmsuite.tree import Tree
from ebmsuite_toy.densities.base import Labelled, positive, single, vectors
from ebmsuite_toy.densities.mixture import eight_gaussians

__all__ = ["Embedded"]

CELLS = 160
"""Cells per side of the grid over z. At the defaults its sums agree with those of twice as many to 1e-6 nats."""
ROWS = 500
"""Number of events that are evaluated together, to bound the memory."""


class Embedded(Labelled):
    """x = g(z) + e in ``dim`` dimensions: z from ``modes`` Gaussians on a circle, e ~ N(0, sd^2 I).

    g is a fixed curved surface, g(z) = A tanh(B z), with A and B drawn at random from ``seed``. If not ``curved``, it
    is the plane g(z) = A B z. Densities and conditionals are sums over a grid of z, exact up to rounding. Each mode is
    a class.
    """

    cells: Tensor
    means: Tensor

    def __init__(
        self,
        dim: int = 10,
        sd: float = 0.1,
        modes: int = 8,
        seed: int = 0,
        curved: bool = True,
        event: Space | None = None,
    ) -> None:
        super().__init__()
        self.curved = curved
        positive(sd=sd, modes=modes)
        self.event, self.sd = vectors(dim, event), sd
        self.latent = eight_gaussians(radius=1.5, sd=0.2, modes=modes)
        rng = torch.Generator().manual_seed(seed)
        inner = torch.randn(2, 16, generator=rng, dtype=torch.float64)
        outer = torch.randn(16, dim, generator=rng, dtype=torch.float64) / 4
        self.register_buffer("inner", inner, persistent=False)
        self.register_buffer("outer", outer, persistent=False)
        side = 2 * (1.5 + 6 * 0.2) / CELLS
        middles = (torch.arange(CELLS, dtype=torch.float64) + 0.5) * side - side * CELLS / 2
        z = torch.cartesian_prod(middles, middles)
        log_p = self.latent.log_prob(z) + 2 * math.log(side)
        kept = log_p > -30  # cells with less than e^-30 of the mass are negligible
        self.register_buffer("cells", z[kept], persistent=False)
        self.register_buffer("means", self.mean(z[kept]), persistent=False)
        self.register_buffer("log_p", log_p[kept], persistent=False)

    @property
    def classes(self) -> int:
        return self.latent.classes

    def mean(self, z: Tensor) -> Tensor:
        """g(z), float64 [B, dim], for z [B, 2]."""
        inner = z.double() @ self.get_buffer("inner")
        value: Tensor = (inner.tanh() if self.curved else inner) @ self.get_buffer("outer")
        return value

    def draw(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        z, label = self.latent.draw(n, rng)
        noise = torch.randn((n, self.event.size), generator=rng, device=rng.device, dtype=torch.float64)
        return single(self.mean(z) + self.sd * noise), label

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        """log sum_z p(z) N(x; g(z), sd^2 I), [B]."""
        return self._joint(x, torch.ones_like(x, dtype=torch.bool), lambda log_w: log_w.logsumexp(1)).to(x.dtype)

    def expected(self, x: Tensor, known: Tensor) -> Tensor:
        """E[x | the known coordinates], [B, dim]: the estimate of hidden coordinates with the least squared error."""
        mean = self._joint(x, known, lambda log_w: log_w.softmax(1) @ self.means)
        return torch.where(known, x, mean.to(x.dtype))

    def _joint(self, x: Tensor, known: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
        parts = []
        for part, seen in zip(torch.split(x.double(), ROWS), torch.split(known, ROWS), strict=True):
            # sum over known coordinates of (x - g)^2, by matrix products: [B, cells]
            w = seen.double()
            squares = (
                (w * part.square()).sum(1, keepdim=True) - 2 * (w * part) @ self.means.T + w @ self.means.square().T
            )
            log_sd = math.log(self.sd) + math.log(2 * math.pi) / 2
            parts.append(of(self.get_buffer("log_p") - squares / (2 * self.sd**2) - w.sum(1, keepdim=True) * log_sd))
        return torch.cat(parts)
