"""Events on coarser grids, for signals, images, clips and volumes.

An event is [channels, *positions]. A grid is named by its factor: the number of positions along every axis that become
one position of the grid; factor 1 is the event itself. If every factor is a multiple of the next finer one and divides
the event, grids consist of blocks: a coarse position is the mean of a block of finer ones. Other factors, such as 1.39
and 1.93, are rounded to whole numbers of positions, and events are resized.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ebmsuite.energy import Energy
from ebmsuite.errors import RecipeError, UserError
from ebmsuite.space import Space
from ebmsuite.tree import Tree

__all__ = ["Grids", "check_blocks", "coarser", "pool", "resize", "upsample", "windows"]


def pool(x: Tensor, factor: int) -> Tensor:
    """Means of blocks of ``factor`` positions along every axis: [B, C, *positions / factor]."""
    for axis in range(2, x.dim()):
        x = x.reshape(*x.shape[:axis], -1, factor, *x.shape[axis + 1 :]).mean(axis + 1)
    return x


def upsample(x: Tensor, factor: int) -> Tensor:
    """Repeat every position ``factor`` times along every axis. `pool` is the inverse."""
    for axis in range(2, x.dim()):
        x = x.repeat_interleave(factor, axis)
    return x


def resize(x: Tensor, positions: Sequence[int]) -> Tensor:
    """Resize x to [B, C, *positions]: bicubic along every axis, with antialiasing when it shrinks."""
    for axis, n in enumerate(positions, 2):
        if n == x.shape[axis]:
            continue
        lines = x.movedim(axis, -1)
        # lines must lie along the width: with a width of 1 torch 2.15 repeats the first value
        line = interpolate(lines.reshape(1, -1, 1, lines.shape[-1]), (1, n), mode="bicubic", antialias=True)
        x = line.view(*lines.shape[:-1], n).movedim(-1, axis)
    return x.contiguous()


def windows(x: Tensor, size: int) -> Tensor:
    """All windows of ``size`` positions along every axis, [N, C * size^axes]."""
    if x.dim() < 3 or not 1 <= size <= min(x.shape[2:]):
        raise UserError(f"windows of {size} positions do not fit events [channels, *positions] of {list(x.shape[1:])}")
    axes = range(2, x.dim())
    for axis in axes:
        x = x.unfold(axis, size, 1)
    return x.movedim(1, len(axes) + 1).flatten(len(axes) + 1).flatten(0, len(axes))


def coarser(event: Space, factor: float) -> Space:
    """The space of events on the grid of this factor."""
    channels, *positions = event.fixed
    if not positions:
        raise RecipeError(f"grids: events must be [channels, *positions], got {list(event.fixed)}")
    if factor < 1 or min(positions) < factor:
        raise RecipeError(f"factors: must be from 1 to the number of positions {list(positions)}, got {factor:g}")
    return Space((channels, *(round(n / factor) for n in positions)), event.range)


def check_blocks(event: Space, factors: Sequence[float]) -> None:
    """Raise `RecipeError` for factors whose grids do not consist of blocks."""
    positions = event.fixed[1:]
    if any(a % b for a, b in pairwise(factors)) or any(n % f for f in factors for n in positions):
        raise RecipeError(
            f"factors: each must be a multiple of the next and divide {list(positions)} positions; got {list(factors)}"
        )


class Grids(Energy):
    """One energy per grid. The shape of an event determines its grid.

    ``net`` makes the energy of a grid from its Space. With ``add``, the energy of a grid is the sum of its net and of
    all coarser nets on the pooled event. A trainer can fade in the finest net by the buffer ``fade`` (1 by default).
    ``units`` are the units of length on each grid (all 1 by default), because the positions of a coarse grid are means
    and vary less.
    """

    fade: Tensor

    def __init__(
        self,
        event: Space,
        net: Callable[[Space], Energy],
        factors: tuple[float, ...],
        units: tuple[float, ...] | None = None,
        add: bool = False,
    ) -> None:
        super().__init__()
        if units is not None and len(units) != len(factors):
            raise RecipeError(f"units: {len(factors)} grids need {len(factors)} units, got {len(units)}")
        if not factors or factors[-1] != 1 or any(a <= b for a, b in pairwise(factors)):
            raise RecipeError(f"factors: must decrease from coarse to fine and end with 1; got {list(factors)}")
        if add:
            check_blocks(event, factors)
        self.factors, self.units, self.add = tuple(factors), units or (1.0,) * len(factors), add
        spaces = [coarser(event, f) for f in factors]
        self.shapes = [s.fixed for s in spaces]
        if len(set(self.shapes)) < len(self.shapes):
            raise RecipeError(f"factors: two grids of {list(factors)} have the same shape ({self.shapes})")
        self.nets = nn.ModuleList([net(s) for s in spaces])
        self.register_buffer("fade", torch.ones(()))

    def grid(self, x: Tensor) -> int:
        """The number of the grid that events x belong to, by their shape."""
        try:
            return self.shapes.index(tuple(x.shape[1:]))
        except ValueError:
            raise RecipeError(f"events of shape {list(x.shape[1:])} belong to no grid ({self.shapes})") from None

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        k = self.grid(x)
        energy: Tensor = self.nets[k](x, condition)
        if not self.add:
            return energy
        if k:
            energy = self.fade * energy
        for j in range(k):
            energy = energy + self.nets[j](pool(x, int(self.factors[j] // self.factors[k])), condition)
        return energy

    def scale(self, x: Tensor, condition: Tree = None) -> float:
        return self.units[self.grid(x)]
