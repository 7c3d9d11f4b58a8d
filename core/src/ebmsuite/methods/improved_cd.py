"""Improved contrastive divergence: maximum likelihood with the terms that contrastive divergence omits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.density import event_sum
from ebmsuite.energy import Energy, frozen
from ebmsuite.learning.trainer import Draws, Logs, sides
from ebmsuite.methods.mle import MaximumLikelihood
from ebmsuite.sampling.kernel import normal_like
from ebmsuite.schedule import value_at
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["ImprovedContrastiveDivergence", "steepness"]


@dataclass
class ImprovedContrastiveDivergence(MaximumLikelihood):
    """Maximum likelihood whose energy also learns through the last step of the sampler (Du et al., ICML 2021).

    ``kl`` is the weight of E(x_K(theta)), with the parameters of E itself frozen (eq. 6). ``entropy`` is the weight of
    -log |x_K - x'|, x' the nearest other sample of the batch (eq. 9; the paper takes the nearest in a buffer).
    ``gradient_penalty`` is the weight of |dE/dx|^2 at the data.
    """

    kl: float = 1.0
    entropy: float = 0.3
    gradient_penalty: float = 0.0

    draws: ClassVar[Mapping[str, Draws]] = {"negative": Draws("event")}

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, energy = batches["data"], self.players["energy"]
        # synthesis; the last step keeps its graph
        through_sampler = bool(self.kl or self.entropy)
        negative = self.phases["negative"].draw(data, rng, data.condition, graph=int(through_sampler))
        samples = negative.x.detach()
        # analysis
        x = data.x + value_at(self.data_noise, t) * normal_like(data.x, rng)
        plus, minus = energy(x, data.condition), energy(samples, negative.condition)
        loss = (plus - minus).mean() + self.energy_l2 * (plus.square() + minus.square()).mean()
        if self.gradient_penalty:
            loss = loss + self.gradient_penalty * steepness(energy, x, data.condition).mean()
        if through_sampler:
            loss = loss + self.kl * frozen(energy, negative.x, negative.condition).mean()
            loss = loss - self.entropy * _nearest_other(negative.x).log().mean()
        logs = self.players.update({"energy": loss})
        return {**sides(plus, minus), "samples/max": samples.abs().max(), **logs}


def steepness(energy: Energy, x: Tensor, condition: Tree = None) -> Tensor:
    """|dE/dx|^2 [B], differentiable in the parameters."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(energy(x, condition).sum(), x, create_graph=True)
    return event_sum(gradient.square())


def _nearest_other(x: Tensor) -> Tensor:
    """The distance [B] of each event to the nearest other one, which is detached."""
    flat = x.flatten(1)
    others = flat.detach()
    far = torch.cdist(flat.detach(), others)
    far.fill_diagonal_(torch.inf)
    # `cdist` itself is not used for the distance: its root has no gradient at 0, and its diagonal is 0
    distance: Tensor = (flat - others[far.argmin(1)]).norm(dim=1)
    return distance.clamp(min=1e-6)
