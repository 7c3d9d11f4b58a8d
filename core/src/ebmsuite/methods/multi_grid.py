"""Multi-grid modelling and sampling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.density import event_sum
from ebmsuite.errors import RecipeError
from ebmsuite.learning.trainer import Draws, Logs, Role, Spaces, Trainer
from ebmsuite.nets.grids import Grids, check_blocks, coarser, pool, upsample
from ebmsuite.sampling import Start
from ebmsuite.sampling.phase import propose
from ebmsuite.space import Batch, Space
from ebmsuite.tree import Tree

__all__ = ["MultiGrid"]


def coarsest(spaces: Spaces) -> Space:
    """The space of events on the coarsest grid, for the trainer's ``factors``."""
    factors = spaces.settings["factors"]
    check_blocks(spaces.event, factors)
    return coarser(spaces.event, factors[0])


@dataclass
class MultiGrid(Trainer):
    """One energy per grid, with chains from the samples of the next coarser grid (Gao, Lu, Zhou, Zhu, Wu, CVPR 2018).

    For every example, from coarse to fine:

        x_0 = the example on the coarsest grid,   x_s = K Langevin steps on E_s from x_(s-1) upsampled in blocks,
        lower E_s of the example on grid s, raise E_s(x_s)

    ``factors`` are the coarsening factors of the grids, starting with that of x_0 (published, for 64 x 64: 64, 16, 4,
    1, with K = 30 in the paper and 90 in the code). The energy is a ``grids`` with the remaining factors. Samples start
    from draws of the density ``coarsest``, which learns the coarsest grid by likelihood.
    """

    factors: tuple[int, ...]

    roles: ClassVar[Mapping[str, Role]] = {"energy": Role("energy"), "coarsest": Role("density", event=coarsest)}
    draws: ClassVar[Mapping[str, Draws]] = {"negative": Draws("event", proposal=True)}

    def __post_init__(self) -> None:
        if len(self.factors) < 2:
            raise RecipeError(f"trainer.factors: give at least two grids, coarsest first, got {list(self.factors)}")
        energy = self.players["energy"]
        if not isinstance(energy, Grids) or energy.factors != self.factors[1:]:
            raise RecipeError(f'players.energy: a "grids" energy with factors {list(self.factors[1:])} is needed')
        propose(self.phases, "negative", self._proposed)

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, energy, c = batches["data"], self.players["energy"], batches["data"].condition
        x = first = pool(data.x, self.factors[0])
        plus, minus = [], []
        for above, factor in pairwise(self.factors):
            grid = Batch(pool(data.x, factor), c, data.index)
            x = self.phases["negative"].draw(grid, rng, c, Start(upsample(x, above // factor), c)).x
            plus.append(energy(grid.x, c))
            minus.append(energy(x, c))
        gaps = [(p - m).mean() for p, m in zip(plus, minus, strict=True)]
        coarsest = -self.players["coarsest"].log_prob(first, c).mean()
        logs = self.players.update({"energy": torch.stack(gaps).sum(), "coarsest": coarsest})
        each = {f"gap/{f}": g.detach() for f, g in zip(self.factors[1:], gaps, strict=True)}
        return {"gap": gaps[-1].detach(), **each, "moved": event_sum((x - data.x).square()).mean().sqrt(), **logs}

    @torch.no_grad()
    def _proposed(self, n: int, rng: torch.Generator, condition: Tree) -> Start:
        """The starts of the chains on the finest grid: samples of the next coarser one, upsampled."""
        x: Tensor = self.players["coarsest"].sample(n, rng, condition)
        for above, factor in pairwise(self.factors[:-1]):
            x = self.phases["negative"].sample(n, rng, condition, Start(upsample(x, above // factor), condition))
        return Start(upsample(x, self.factors[-2] // self.factors[-1]), condition)

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.phases["negative"].sample(n, rng, condition)
