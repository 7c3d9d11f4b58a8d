"""A pyramid of energies on coarse to fine grids, learned one after the other from one event."""

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
    """One patch energy per grid, learned from one event, coarse to fine (Zheng, Xie, Li, CVPR 2021).

        x~_s = K Langevin steps on E_s from x~_(s-1) resized, the first from ``noise``
        x^_s = K steps without noise from x^_(s-1) resized, the first from the example shrunk by ``blur`` and resized
        E_s(x_s) - E_s(x~_s) + r (E_s(x_s) - E_s(x^_s)),   x_s the example on grid s

    The energy is a ``grids`` with any factors and a net that scores patches (``patches``). Samples then consist of
    windows like those of the example without being copies of it. Each grid is learned for ``stage`` steps. Then it is
    frozen, and the next grid starts with a new optimiser; schedules count from there. ``recovery_weight`` r is the
    weight of the second branch, which ties the example to its coarse version; the branch needs a phase "recovery".

    Published (code): factors 10^(k / 7) for k = 7 to 0; 60 steps on the coarsest grid, 30 on the others, gradient
    weight 0.005, noise 0.01 that falls to 0 over the first 1,000 of 4,000 steps per grid; Adam with first beta 0.5,
    4e-4 to 5e-5 over 3,200 steps. The published code clamps chains to [-1, 1]; this trainer does not.
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
            raise RecipeError(f"trainer.stage: must be at least 1, got {self.stage}")
        if not 0 < self.blur < 1:
            raise RecipeError(f"trainer.blur: the share of positions to keep must be in (0, 1), got {self.blur:g}")
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
        self._at(self.stage)  # schedules as at the end of every stage
        last = len(self.positions) - 1
        start = Start(self._climb(n, last, rng, condition), condition)
        return self.phases[self._phase(last)].sample(n, rng, condition, start)

    def _at(self, age: int) -> None:
        """Evaluate the schedules of all phases at step ``age`` of a stage."""
        for phase in self.phases.values():
            phase.set_step(age)

    def _phase(self, k: int) -> str:
        return "negative" if k else "coarsest"

    def _climb(self, n: int, k: int, rng: torch.Generator, condition: Tree) -> Tensor:
        """The starts of the chains of grid k."""
        x = self.begin.sample(n, rng, condition)
        for j, finer in enumerate(self.positions[1 : k + 1]):
            x = resize(self.phases[self._phase(j)].sample(n, rng, condition, Start(x, condition)), finer)
        return x

    def _coarse(self, x: Tensor, k: int, rng: torch.Generator, condition: Tree) -> Tensor:
        """The start of the recovery of x on grid k: its coarse version, recovered on all coarser grids."""
        coarse = resize(resize(x, [max(1, round(self.blur * n)) for n in self.positions[0]]), self.positions[0])
        for finer in self.positions[1 : k + 1]:
            start = Start(coarse, condition)
            coarse = resize(self.phases["recovery"].sample(len(x), rng, condition, start), finer)
        return coarse
