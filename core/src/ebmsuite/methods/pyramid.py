"""A pyramid of energies, each learned in its turn from one event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.density import Density
from ebmsuite.errors import RecipeError
from ebmsuite.learning.trainer import Draws, Logs, Role, Trainer, sides
from ebmsuite.nets.grids import Grids, resize
from ebmsuite.sampling import Start
from ebmsuite.space import Batch, Space
from ebmsuite.tree import Tree

__all__ = ["Pyramid"]


@dataclass
class Pyramid(Trainer):
    """One energy of patches a grid, learned from one event, coarse to fine (Zheng, Xie, Li, CVPR 2021).

        x~_s = K Langevin steps on E_s from x~_(s-1) resized, the first from ``noise``
        x^_s = as many without noise from x^_(s-1) resized, the first from the example made coarser by ``blur`` and back
        E_s(x_s) - E_s(x~_s) + r (E_s(x_s) - E_s(x^_s)),   x_s the example on grid s

    The energy is a ``grids`` of any factors, with a net that scores patches (``patches``): where each window is like
    one of the example's, a sample is like the example and no copy of it. Each grid is learned for ``stage`` steps, then
    it is left as it is and the next begins, with a fresh optimiser; schedules count from there. ``recovery_weight`` r
    is that of the second branch, which ties the example to its coarse version, where there is a phase "recovery".

    Published (code): factors 10^(k / 7) for k = 7 to 0; 60 steps on the coarsest grid, 30 on the others, gradient
    weight 0.005, noise 0.01 that falls to 0 over the first 1,000 of 4,000 steps a grid; Adam with first beta 0.5, 4e-4
    to 5e-5 over 3,200. There chains are clamped to [-1, 1].
    """

    event: Space
    stage: int
    noise: Callable[[Space], Density]
    recovery_weight: float = 0.1
    blur: float = 0.75

    roles: ClassVar[Mapping[str, Role]] = {"energy": Role("energy")}
    draws: ClassVar[Mapping[str, Draws]] = {
        "coarsest": Draws("event", proposal=True),
        "negative": Draws("event", proposal=True),
        "recovery": Draws("event", optional=True, proposal=True),
    }

    def __post_init__(self) -> None:
        energy = self.players["energy"]
        if not isinstance(energy, Grids) or energy.add:
            raise RecipeError('players.energy: a "grids" energy without add is needed')
        if self.stage < 1:
            raise RecipeError(f"trainer.stage: at least 1, got {self.stage}")
        if not 0 < self.blur < 1:
            raise RecipeError(f"trainer.blur: the share of positions that is left, between 0 and 1, got {self.blur:g}")
        self.positions = [shape[1:] for shape in energy.shapes]
        self.begin = self.noise(Space(energy.shapes[0], self.event.range))

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, energy, c = batches["data"], self.players["energy"], batches["data"].condition
        k = min(t // self.stage, len(self.positions) - 1)
        if k and t == k * self.stage:
            self.players.reset("energy")
        for j, net in enumerate(energy.nets):
            net.requires_grad_(j == k)
        self._at(t - k * self.stage)
        grid = Batch(resize(data.x, self.positions[k]), c, data.index)
        below = self._climb(len(data), k, rng, c)
        negative = self.phases[self._phase(k)].draw(grid, rng, c, Start(below, c))
        plus, minus = energy(grid.x, c), energy(negative.x, c)
        loss, logs = (plus - minus).mean(), sides(plus, minus)
        if "recovery" in self.phases:
            recovered = self.phases["recovery"].draw(grid, rng, c, Start(self._coarse(data.x, k, rng, c), c)).x
            tie = (plus - energy(recovered, c)).mean()
            loss = loss + self.recovery_weight * tie
            logs["recovered"] = (recovered - grid.x).square().mean().sqrt()
        moved = (negative.x - below).square().mean().sqrt()
        return {**logs, "grid": plus.new_tensor(k), "moved": moved, **self.players.update({"energy": loss})}

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        self._at(self.stage)  # as every grid was left
        last = len(self.positions) - 1
        start = Start(self._climb(n, last, rng, condition), condition)
        return self.phases[self._phase(last)].sample(n, rng, condition, start)

    def _at(self, age: int) -> None:
        """Schedules at a step of a stage."""
        for phase in self.phases.values():
            phase.at(age)

    def _phase(self, k: int) -> str:
        return "negative" if k else "coarsest"

    def _climb(self, n: int, k: int, rng: torch.Generator, condition: Tree) -> Tensor:
        """Where the chains of grid k begin."""
        x = self.begin.sample(n, rng, condition)
        for j, finer in enumerate(self.positions[1 : k + 1]):
            x = resize(self.phases[self._phase(j)].sample(n, rng, condition, Start(x, condition)), finer)
        return x

    def _coarse(self, x: Tensor, k: int, rng: torch.Generator, condition: Tree) -> Tensor:
        """Where the recovery of x on grid k begins: at its coarse version, recovered on all coarser grids."""
        coarse = resize(resize(x, [max(1, round(self.blur * n)) for n in self.positions[0]]), self.positions[0])
        for finer in self.positions[1 : k + 1]:
            start = Start(coarse, condition)
            coarse = resize(self.phases["recovery"].sample(len(x), rng, condition, start), finer)
        return coarse
