"""A density transformed by a known map of the plane."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ebmsuite.density import Density
from ebmsuite.space import Space
from ebmsuite.tree import Tree
from ebmsuite_toy.densities.base import positive, single, vectors

__all__ = ["Moved"]


class Moved(Density):
    """The density of x = scale R(angle) (y_0 + bend y_1^2, y_1) + shift, with y from ``density``.

    ``angle`` is in degrees. `map` is the true translation between the two domains.
    """

    def __init__(
        self,
        density: Density,
        angle: float = 30.0,
        scale: float = 1.0,
        bend: float = 0.0,
        shift: tuple[float, float] = (0.0, 0.0),
        event: Space | None = None,
    ) -> None:
        super().__init__()
        positive(scale=scale)
        self.event, self.density = vectors(2, event), density
        self.factor, self.bend, self.shift = scale, bend, shift
        c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        self.register_buffer("rotation", torch.tensor([[c, -s], [s, c]], dtype=torch.float64), persistent=False)

    def map(self, y: Tensor) -> Tensor:
        """Map points y [B, 2] of the first domain to this one."""
        bent = torch.stack([y[:, 0] + self.bend * y[:, 1].square(), y[:, 1]], 1)
        moved: Tensor = self.factor * bent @ self.get_buffer("rotation").to(y).T + y.new_tensor(self.shift)
        return moved

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        # a new seed: with the same seed, the draws of both domains would be pairs
        seed = torch.randint(2**62, (1,), generator=rng, device=rng.device)
        own = torch.Generator(rng.device).manual_seed(int(seed))
        return single(self.map(self.density.sample(n, own).double()))

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        bent = (x - x.new_tensor(self.shift)) @ self.get_buffer("rotation").to(x) / self.factor
        y = torch.stack([bent[:, 0] - self.bend * bent[:, 1].square(), bent[:, 1]], 1)
        log_p: Tensor = self.density.log_prob(y) - 2 * math.log(self.factor)
        return log_p
