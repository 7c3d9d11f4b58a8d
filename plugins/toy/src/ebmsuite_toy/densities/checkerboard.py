"""The checkerboard: uniform on every other square."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ebmsuite.density import Density
from ebmsuite.space import Space
from ebmsuite.tree import Tree
from ebmsuite_toy.densities.base import positive, single, vectors

__all__ = ["Checkerboard"]


class Checkerboard(Density):
    """Uniform on the even squares of a board of ``squares`` x ``squares`` on [-width/2, width/2]^2.

    log p is -inf elsewhere, and its gradient is zero: use it for data and starts, not as an energy for gradient
    samplers.
    """

    def __init__(self, squares: int = 4, width: float = 4.0, event: Space | None = None) -> None:
        super().__init__()
        positive(squares=squares, width=width)
        self.event = vectors(2, event)
        self.squares, self.width = squares, width

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        even = torch.arange((self.squares**2 + 1) // 2, device=rng.device) * 2
        if self.squares % 2 == 0:  # rows of even length: every second row starts with an odd square
            even = even + (even // self.squares) % 2
        square = even[torch.randint(len(even), (n,), generator=rng, device=rng.device)]
        inside = torch.rand((n, 2), generator=rng, device=rng.device, dtype=torch.float64)
        inside = inside.clamp(1e-6, 1 - 1e-6)  # keeps float32 from rounding a draw across the border
        corner = torch.stack([square // self.squares, square % self.squares], 1)
        return single((corner + inside) * (self.width / self.squares) - self.width / 2)

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        place = torch.floor((x + self.width / 2) * (self.squares / self.width))
        on = ((place >= 0) & (place < self.squares)).all(1) & (place.sum(1) % 2 == 0)
        area = (self.squares**2 + 1) // 2 * (self.width / self.squares) ** 2
        return torch.where(on, -math.log(area), -math.inf).to(x.dtype)
