"""Maximum likelihood by analysis by synthesis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.density import event_sum
from ebmsuite.energy import Energy, frozen
from ebmsuite.learning.trainer import Draws, Logs, Role, Trainer, sides
from ebmsuite.sampling.kernel import normal_like
from ebmsuite.schedule import Schedule, value_at
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["MaximumLikelihood", "steepness"]


@dataclass
class MaximumLikelihood(Trainer):
    """d/dtheta log p = E_model[dE/dtheta] - E_data[dE/dtheta], the model's side from chains.

    Short-run, contrastive-divergence and persistent learning are this trainer with chains from noise, data and
    a buffer (Xie et al., ICML 2016; Nijkamp et al., NeurIPS 2019 and AAAI 2020; Du & Mordatch, NeurIPS 2019).

    ``data_noise`` is the standard deviation of the noise added to the examples. Weights of further terms of the loss,
    0 unless asked for: ``energy_l2`` of E(data)^2 + E(samples)^2 (Du & Mordatch), ``gradient_penalty`` of |dE/dx|^2 at
    the data, and the two of improved contrastive divergence (Du et al., ICML 2021, eqs. 6 and 9; published: 1 and 0.3):
    ``kl`` of E(x_K(theta)), by which the last step of the sampler learns, E itself held still, and ``entropy`` of
    -log |x_K - x'|, x' the nearest other sample of the batch (the paper's: of a buffer).
    """

    data_noise: float | Schedule = 0.0
    energy_l2: float = 0.0
    gradient_penalty: float = 0.0
    kl: float = 0.0
    entropy: float = 0.0

    roles: ClassVar[Mapping[str, Role]] = {"energy": Role("energy")}
    draws: ClassVar[Mapping[str, Draws]] = {"negative": Draws("event")}

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, energy = batches["data"], self.players["energy"]
        # synthesis
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
        return {
            **sides(plus, minus),
            "samples/max": samples.abs().max(),
            **logs,
        }

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.phases["negative"].sample(n, rng, condition)


def steepness(energy: Energy, x: Tensor, condition: Tree = None) -> Tensor:
    """|dE/dx|^2 [B], to be differentiated in the parameters."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(energy(x, condition).sum(), x, create_graph=True)
    return event_sum(gradient.square())


def _nearest_other(x: Tensor) -> Tensor:
    """The distance [B] of every event to the nearest other one, which is held still."""
    flat = x.flatten(1)
    others = flat.detach()
    far = torch.cdist(flat.detach(), others)
    far.fill_diagonal_(torch.inf)
    # the norm of one difference: the root in `cdist` has no gradient at 0, and the diagonal is at 0
    distance: Tensor = (flat - others[far.argmin(1)]).norm(dim=1)
    return distance.clamp(min=1e-6)
