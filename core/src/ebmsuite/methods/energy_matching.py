"""Energy matching: one energy that is a flow far from the data and a density near them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ebmsuite.density import event_sum
from ebmsuite.errors import MissingData, RecipeError
from ebmsuite.learning.trainer import Draws, Logs, Role, Trainer, sides
from ebmsuite.sampling import Start
from ebmsuite.sampling.kernel import normal_like, per_row, target_of, uniform_like
from ebmsuite.sampling.phase import propose
from ebmsuite.space import Batch
from ebmsuite.tree import Tree, take

__all__ = ["EnergyMatching", "matched"]


def matched(x: Tensor, y: Tensor) -> Tensor:
    """The permutation [B] of the rows of y that is nearest to x in squared distance; exact, on the CPU, at most B^3."""
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise MissingData(
            'coupling "exact" needs the package scipy: pip install "ebmsuite[matching]", or set coupling: independent'
        ) from error
    costs = torch.cdist(x.flatten(1).double(), y.flatten(1).double()).square()
    _, order = linear_sum_assignment(costs.cpu().numpy())
    return torch.from_numpy(order).to(x.device)


@dataclass
class EnergyMatching(Trainer):
    """One energy V(x) without time: its gradient flow takes noise to data, and near the data exp(-V / eps) is their
    density (Balcerak et al., NeurIPS 2025).

        flow:      E |grad V(x_t) + x_1 - x_0|^2,  x_t = (1 - t) x_0 + t x_1,  x_0 ~ N(0, I), x_1 data, t ~ U(0, 1)
        contrast:  + w (E V(x_1) - E V(x-)),  after ``flow_first`` steps

    With ``coupling`` "exact", x_0 and x_1 are matched by optimal transport within the batch, an assignment on the CPU
    that each step waits for. Paths are then straight and hardly cross, as a gradient flow requires; "independent" pairs
    them at random. For half of the batch, x- starts at noise, follows the flow (the phase ``transport``: `descent` with
    weight dt, 1 / dt steps) and then the chains of ``negative`` at the temperature eps. For the other half, x- is the
    end of the same chains from the data. Published: eps rises from 0 to 0.01 along one chain of 200 steps of dt = 0.01;
    here it changes between the two phases. Published: ``contrast_weight`` w = 1e-3 for 2,000 steps after 145,000 steps
    of the flow. The contrast is clamped at ``floor``, -0.02, below which it has no gradient. The fraction ``trim``,
    0.1, of the x- with the highest V is left out.
    """

    flow_first: int = 145_000
    contrast_weight: float = 1e-3
    floor: float | None = -0.02
    trim: float = 0.1
    coupling: Literal["exact", "independent"] = "exact"

    roles: ClassVar[Mapping[str, Role]] = {"energy": Role("energy")}
    draws: ClassVar[Mapping[str, Draws]] = {"transport": Draws("event"), "negative": Draws("event")}

    def __post_init__(self) -> None:
        if not 0 <= self.trim < 1:
            raise RecipeError(f"trainer.trim: must be at least 0 and below 1, got {self.trim:g}")
        propose(self.phases, "negative", self._proposed)

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, energy = batches["data"], self.players["energy"]
        noise = normal_like(data.x, rng)
        if self.coupling == "exact":
            noise = noise[matched(data.x, noise)]
        time = per_row(uniform_like(data.x.flatten(1)[:, 0], rng), data.x)
        between = (1 - time) * noise + time * data.x
        _, slope = target_of(energy, between, data.condition, graph=True).value_and_grad(between)
        flow = event_sum((slope + data.x - noise).square()).mean()
        if t < self.flow_first:
            return {"flow": flow.detach(), **self.players.update({"energy": flow})}
        drawn, given = self._negative(data, rng)
        plus, minus = energy(data.x, data.condition), energy(drawn, given)
        kept = minus.topk(len(minus) - round(self.trim * len(minus)), largest=False).values
        contrast = self.contrast_weight * (plus.mean() - kept.mean())
        if self.floor is not None:
            contrast = contrast.clamp(min=self.floor)
        logs = self.players.update({"energy": flow + contrast})
        return {"flow": flow.detach(), **sides(plus, minus), **logs}

    def _negative(self, data: Batch, rng: torch.Generator) -> tuple[Tensor, Tree]:
        """The ends of chains that start at transported noise (first half of the batch) and at data (second half)."""
        half = len(data) // 2
        first, rest = (Batch(data.x[rows], take(data.condition, rows)) for rows in (slice(half), slice(half, None)))
        carried = self.phases["transport"].draw(first, rng, first.condition)
        begun = Start(torch.cat([carried.x, rest.x]))
        drawn = self.phases["negative"].draw(data, rng, data.condition, begun)
        return drawn.x, drawn.condition

    def _proposed(self, n: int, rng: torch.Generator, condition: Tree) -> Start:
        return Start(self.phases["transport"].sample(n, rng, condition), condition)

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.phases["negative"].sample(n, rng, condition)
