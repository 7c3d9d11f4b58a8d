"""Coarse-to-fine expanding and sampling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.density import Density
from ebmsuite.errors import RecipeError
from ebmsuite.learning.trainer import Draws, Logs, Role, Trainer, sides
from ebmsuite.nets.grids import Grids, coarser, pool, upsample
from ebmsuite.sampling import Start
from ebmsuite.sampling.kernel import normal_like
from ebmsuite.sampling.phase import propose
from ebmsuite.space import Batch, Space
from ebmsuite.tree import Tree

__all__ = ["CoarseToFine"]


@dataclass
class CoarseToFine(Trainer):
    """Learning an energy on a coarse grid first and then on finer and finer grids (Zhao, Xie, Li, ICLR 2021).

    The energy is a ``grids`` with ``add: true``. It learns the coarsest grid for ``stage`` steps. Then each finer grid
    is faded in over ``stage`` steps and learned for another ``stage`` steps, with a new optimiser (published: 600,000
    images each). Chains start from ``noise`` on the coarsest grid. They make the phase's steps on every grid, and the
    end on one grid, upsampled in blocks, is the start on the next (the paper's "from the beginning"). Noise of sd
    ``data_noise`` (0.02) is added to the examples.
    """

    event: Space
    stage: int
    noise: Callable[[Space], Density]
    data_noise: float = 0.02

    roles: ClassVar[Mapping[str, Role]] = {"energy": Role("energy")}
    draws: ClassVar[Mapping[str, Draws]] = {"negative": Draws("event", proposal=True)}

    def __post_init__(self) -> None:
        energy = self.players["energy"]
        if not isinstance(energy, Grids) or not energy.add:
            raise RecipeError('players.energy: a "grids" energy with add: true is needed')
        if self.stage < 1:
            raise RecipeError(f"trainer.stage: must be at least 1, got {self.stage}")
        self.begin = self.noise(coarser(self.event, energy.factors[0]))
        propose(self.phases, "negative", self._proposed)

    def grown(self, t: int) -> tuple[int, float]:
        """The finest grid at learning step t, and its fade factor from 0 to 1."""
        last = len(self.players["energy"].factors) - 1
        k = min((t // self.stage + 1) // 2, last)
        begun = (2 * k - 1) * self.stage
        return k, 1.0 if k == 0 else min(1.0, (t - begun + 1) / self.stage)

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, energy, c = batches["data"], self.players["energy"], batches["data"].condition
        k, fade = self.grown(t)
        if k and t == (2 * k - 1) * self.stage:
            self.players.reset("energy")
        energy.fade.fill_(fade)
        x = pool(data.x, int(energy.factors[k]))
        x = x + self.data_noise * normal_like(x, rng)
        grid = Batch(x, c, data.index)
        negative = self.phases["negative"].draw(grid, rng, c, self._climb(len(data), k, rng, c)).x
        plus, minus = energy(x, c), energy(negative, c)
        logs = self.players.update({"energy": (plus - minus).mean()})
        return {**sides(plus, minus), "grid": plus.new_tensor(k), "fade": energy.fade.clone(), **logs}

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.phases["negative"].sample(n, rng, condition, batch=n)

    @torch.no_grad()
    def _proposed(self, n: int, rng: torch.Generator, condition: Tree) -> Start:
        return self._climb(n, len(self.players["energy"].factors) - 1, rng, condition)

    def _climb(self, n: int, k: int, rng: torch.Generator, condition: Tree) -> Start:
        """The starts of the chains on grid k: chains from noise on each coarser grid, upsampled."""
        phase, factors, energy = self.phases["negative"], self.players["energy"].factors, self.players["energy"]
        x, fade = self.begin.sample(n, rng, condition), energy.fade.clone()
        for above, factor in pairwise((factors[0], *factors[:k])):
            energy.fade.fill_(1.0)
            x = phase.sample(n, rng, condition, Start(upsample(x, int(above // factor)), condition), batch=n)
        energy.fade.copy_(fade)
        return Start(upsample(x, int(factors[max(k - 1, 0)] // factors[k])), condition)
