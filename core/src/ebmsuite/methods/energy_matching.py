"""Energy matching: a flow to the data, and an energy once there."""

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
from ebmsuite.space import Batch
from ebmsuite.tree import Tree, take

__all__ = ["EnergyMatching", "matched"]


def matched(x: Tensor, y: Tensor) -> Tensor:
    """The permutation of y, [B], that is nearest x in the sum of squares: exact, on the CPU, in B^3 at worst."""
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise MissingData(
            'coupling "exact" needs the package scipy: pip install "ebmsuite[matching]"; "independent" does not'
        ) from error
    costs = torch.cdist(x.flatten(1).double(), y.flatten(1).double()).square()
    _, order = linear_sum_assignment(costs.cpu().numpy())
    return torch.from_numpy(order).to(x.device)


@dataclass
class EnergyMatching(Trainer):
    """One energy V(x), no time: its slope carries noise to data, and near data exp(-V / eps) is their density (Balcerak
    et al., NeurIPS 2025).

        flow:      E |grad V(x_t) + x_1 - x_0|^2,  x_t = (1 - t) x_0 + t x_1,  x_0 ~ N(0, I), x_1 data, t ~ U(0, 1)
        contrast:  + w (E V(x_1) - E V(x-)),  after ``flow_first`` steps

    x_0 and x_1 are matched by optimal transport within the batch (``coupling`` "exact": an assignment on the CPU, which
    learning waits for), so that paths are straight and hardly cross, as those of a gradient must not; "independent"
    leaves them as they come. x- is, for half of the batch, noise that went with the flow (the phase ``transport``:
    `descent` with weight dt, 1 / dt steps) and then the chains of ``negative`` at the temperature eps; for the other
    half, the same chains from the data. Published: eps rises from 0 to its 0.01 along one chain of 200 steps of dt =
    0.01; here it steps up between the phases. ``contrast_weight`` w = 1e-3 for 2,000 steps after 145,000 of the flow;
    the contrast is no less than ``floor`` -0.02, where its gradient ends, and the ``trim`` of x- whose V is highest, a
    tenth, are left out.
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
            raise RecipeError(f"trainer.trim: a share of at least 0 and below 1, got {self.trim:g}")

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
        """Where chains end that start at noise, for the first half of the batch, and at the data."""
        half = len(data) // 2
        first, rest = (Batch(data.x[rows], take(data.condition, rows)) for rows in (slice(half), slice(half, None)))
        carried = self.phases["transport"].draw(first, rng, first.condition)
        begun = Start(torch.cat([carried.x, rest.x]))
        drawn = self.phases["negative"].draw(data, rng, data.condition, begun)
        return drawn.x, drawn.condition

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        carried = self.phases["transport"].sample(n, rng, condition)
        return self.phases["negative"].sample(n, rng, condition, Start(carried, condition))
