"""A funnel, a banana, and two Gaussians: one with very unequal variances, one with correlated coordinates."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmsuite.density import Density
from ebmsuite.errors import RecipeError
from ebmsuite.space import Space
from ebmsuite.tree import Tree
from ebmsuite_toy.densities.base import log_normal, positive, single, vectors

__all__ = ["Banana", "Correlated", "Funnel", "IllConditioned"]


class Funnel(Density):
    """Neal's funnel (Slice sampling, 2003, sec. 8): v = x_0 ~ N(0, ``sd``^2), and the others are N(0, e^v) given v.

    Neal's has ``dim`` 10. No single step size suits both its mouth and its neck.
    """

    def __init__(self, dim: int = 2, sd: float = 3.0, event: Space | None = None) -> None:
        super().__init__()
        positive(sd=sd)
        if dim < 2:
            raise RecipeError(f"dim: a funnel needs v and at least one other coordinate, got {dim}")
        self.event, self.sd = vectors(dim, event), sd

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        noise = _normal(n, self.event, rng)
        v = self.sd * noise[:, :1]
        return single(torch.cat([v, (v / 2).exp() * noise[:, 1:]], 1))

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        v = x[:, :1]
        return log_normal(v[:, 0], self.sd) + log_normal(x[:, 1:], (v / 2).exp()).sum(1)


class Banana(Density):
    """A bent Gaussian (Haario, Saksman, Tamminen, 1999).

    x_0 ~ N(0, ``length``^2) and, given x_0, x_1 ~ N(``bend`` (x_0^2 - ``length``^2), ``width``^2). The paper has length
    10, width 1 and bend -0.03.
    """

    def __init__(self, length: float = 2.0, width: float = 0.5, bend: float = 0.3, event: Space | None = None) -> None:
        super().__init__()
        positive(length=length, width=width)
        self.event = vectors(2, event)
        self.length, self.width, self.bend = length, width, bend

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        along, across = _normal(n, self.event, rng).unbind(1)
        along = self.length * along
        return single(torch.stack([along, self._middle(along) + self.width * across], 1))

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        along, across = x.unbind(1)
        return log_normal(along, self.length) + log_normal(across - self._middle(along), self.width)

    def _middle(self, along: Tensor) -> Tensor:
        return self.bend * (along.square() - self.length**2)


class IllConditioned(Density):
    """A Gaussian with mean 0 whose variances fall geometrically from 1 to 1 / ``condition_number``.

    Its principal axes are the coordinate axes or, if ``rotated``, their reflection that makes (1, ..., 1) the widest
    direction; scaling each coordinate then does not help. With a step size that suits the narrowest direction, a chain
    needs sqrt(condition_number) times as many steps to cross the widest.
    """

    def __init__(
        self, dim: int = 2, condition_number: float = 100.0, rotated: bool = True, event: Space | None = None
    ) -> None:
        super().__init__()
        if condition_number < 1 or dim < 2:
            raise RecipeError(f"condition_number >= 1 and dim >= 2 are needed, got {condition_number:g} and {dim}")
        self.event, self.condition_number, self.rotated = vectors(dim, event), condition_number, rotated

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        noise = _normal(n, self.event, rng)
        return single(self._turn(self._sd(noise) * noise))

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        return log_normal(self._turn(x), self._sd(x)).sum(1)

    def _sd(self, like: Tensor) -> Tensor:
        """[dim]."""
        part = torch.linspace(0, 1, self.event.size, dtype=like.dtype, device=like.device)
        return self.condition_number ** (-part / 2)

    def _turn(self, x: Tensor) -> Tensor:
        """Reflect x: the first axis becomes the diagonal, and the diagonal becomes the first axis."""
        if not self.rotated:
            return x
        normal = -torch.ones_like(x[0]) / self.event.size**0.5
        normal[0] += 1
        normal = normal / normal.norm()
        turned: Tensor = x - 2 * (x @ normal)[:, None] * normal
        return turned


def _normal(n: int, event: Space, rng: torch.Generator) -> Tensor:
    return torch.randn((n, event.size), generator=rng, device=rng.device, dtype=torch.float64)


class Correlated(Density):
    """N(0, C) with C_ij = ``rho``^|i - j|, a stationary autoregression: the nearer two coordinates, the more alike."""

    def __init__(self, dim: int = 4, rho: float = 0.8, event: Space | None = None) -> None:
        super().__init__()
        if not -1 < rho < 1:
            raise RecipeError(f"rho: must be between -1 and 1, got {rho:g}")
        self.event = vectors(dim, event)
        i = torch.arange(self.event.size, dtype=torch.float64)
        self.register_buffer("C", rho ** (i[:, None] - i).abs(), persistent=False)

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        noise = torch.randn((n, self.event.size), generator=rng, device=rng.device, dtype=torch.float64)
        return single(noise @ torch.linalg.cholesky(self.get_buffer("C")).T)

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        of = torch.distributions.MultivariateNormal(torch.zeros_like(x[0].double()), self.get_buffer("C"))
        value: Tensor = of.log_prob(x.double())  # type: ignore[no-untyped-call]
        return value.to(x.dtype)

    def given(self, A: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Mean [dim] and covariance [dim, dim] of x given A x = b, float64. The rows of A must be independent."""
        C = self.get_buffer("C")
        K = C @ A.T @ torch.linalg.inv(A @ C @ A.T)
        return K @ b, C - K @ A @ C
