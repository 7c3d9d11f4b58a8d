"""The same event on coarser grids: signals, images, clips and volumes alike.

An event is [channels, *positions]. A grid is named by its factor: how many positions along every axis are one of its
own; 1 is the event itself. Where every factor is a multiple of the next finer one and divides the event, grids are of
blocks: a coarse position is the mean of a block of finer ones. Other factors, such as 1.39 and 1.93, are rounded to
whole numbers of positions, and events are resized.
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
    """Every position ``factor`` times along every axis: blocks, whose `pool` is x."""
    for axis in range(2, x.dim()):
        x = x.repeat_interleave(factor, axis)
    return x


def resize(x: Tensor, positions: Sequence[int]) -> Tensor:
    """x on other numbers of positions, [B, C, *positions]: bicubic along every axis, smoothed before it shrinks."""
    for axis, n in enumerate(positions, 2):
        if n == x.shape[axis]:
            continue
        lines = x.movedim(axis, -1)
        # lines lie along the width: with a width of 1 torch 2.15 repeats the first value
        line = interpolate(lines.reshape(1, -1, 1, lines.shape[-1]), (1, n), mode="bicubic", antialias=True)
        x = line.view(*lines.shape[:-1], n).movedim(-1, axis)
    return x.contiguous()


def windows(x: Tensor, size: int) -> Tensor:
    """All windows of ``size`` positions along every axis, [N, C * size^axes]."""
    if x.dim() < 3 or not 1 <= size <= min(x.shape[2:]):
        raise UserError(f"windows of {size} positions: events are {list(x.shape[1:])}, [channels, *positions]")
    axes = range(2, x.dim())
    for axis in axes:
        x = x.unfold(axis, size, 1)
    return x.movedim(1, len(axes) + 1).flatten(len(axes) + 1).flatten(0, len(axes))


def coarser(event: Space, factor: float) -> Space:
    """The space of events on the grid of this factor."""
    channels, *positions = event.fixed
    if not positions:
        raise RecipeError(f"grids: events are [channels, *positions], these are {list(event.fixed)}")
    if factor < 1 or min(positions) < factor:
        raise RecipeError(f"factors: {factor:g} leaves nothing of {list(positions)} positions, or is below 1")
    return Space((channels, *(round(n / factor) for n in positions)), event.range)


def check_blocks(event: Space, factors: Sequence[float]) -> None:
    """Refuse factors whose grids are not of blocks."""
    positions = event.fixed[1:]
    if any(a % b for a, b in pairwise(factors)) or any(n % f for f in factors for n in positions):
        raise RecipeError(
            f"factors: each a multiple of the next, a divisor of {list(positions)} positions; got {list(factors)}"
        )


class Grids(Energy):
    """One energy a grid; an event is of the grid that its shape says.

    ``net`` makes the energy of a grid from its Space. With ``add`` that of a grid is the sum of its net's and of all
    coarser nets' of the pooled event: a net that grows, whose newest part is faded in by ``fade`` (buffer, 1 unless a
    trainer says otherwise). ``units`` are the lengths of a step on each grid, all 1 unless given: a coarse grid's
    positions are means, and vary less.
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
            raise RecipeError(f"units: {len(factors)} grids need as many, got {len(units)}")
        if not factors or factors[-1] != 1 or any(a <= b for a, b in pairwise(factors)):
            raise RecipeError(f"factors: from coarse to fine, the last 1; got {list(factors)}")
        if add:
            check_blocks(event, factors)
        self.factors, self.units, self.add = tuple(factors), units or (1.0,) * len(factors), add
        spaces = [coarser(event, f) for f in factors]
        self.shapes = [s.fixed for s in spaces]
        if len(set(self.shapes)) < len(self.shapes):
            raise RecipeError(f"factors: two grids of {list(factors)} have the same positions ({self.shapes})")
        self.nets = nn.ModuleList([net(s) for s in spaces])
        self.register_buffer("fade", torch.ones(()))

    def grid(self, x: Tensor) -> int:
        """Which grid events are of, by their shape."""
        try:
            return self.shapes.index(tuple(x.shape[1:]))
        except ValueError:
            raise RecipeError(f"events {list(x.shape[1:])} are of no grid ({self.shapes})") from None

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
