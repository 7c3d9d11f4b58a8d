"""Maximum likelihood by analysis by synthesis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.learning.trainer import Draws, Logs, Role, Trainer, sides
from ebmsuite.sampling.kernel import normal_like
from ebmsuite.schedule import Schedule, value_at
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["MaximumLikelihood"]


@dataclass
class MaximumLikelihood(Trainer):
    """Maximum likelihood: d/dtheta log p = E_model[dE/dtheta] - E_data[dE/dtheta], with model samples from chains.

    Short-run learning, contrastive divergence and persistent learning are this trainer with chains from noise, data and
    a buffer (Xie et al., ICML 2016; Nijkamp et al., NeurIPS 2019 and AAAI 2020; Du & Mordatch, NeurIPS 2019).

    ``data_noise`` is the standard deviation of the noise added to the examples. ``energy_l2`` is the weight of
    E(data)^2 + E(samples)^2 in the loss (Du & Mordatch).
    """

    data_noise: float | Schedule = 0.0
    energy_l2: float = 0.0

    roles: ClassVar[Mapping[str, Role]] = {"energy": Role("energy")}
    draws: ClassVar[Mapping[str, Draws]] = {"negative": Draws("event", several=True)}

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, energy = batches["data"], self.players["energy"]
        negative = self.phases["negative"].draw(data, rng, data.condition)  # synthesis: chains on the energy
        x = data.x + value_at(self.data_noise, t) * normal_like(data.x, rng)
        plus, minus = energy(x, data.condition), energy(negative.x, negative.condition)
        squares = plus.square() + negative.rows(minus.square())
        loss = (plus - negative.rows(minus)).mean() + self.energy_l2 * squares.mean()
        logs = self.players.update({"energy": loss})  # analysis: one step of the optimiser
        return {**sides(plus, minus), "samples/max": negative.x.abs().max(), **logs}

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.phases["negative"].sample(n, rng, condition)
