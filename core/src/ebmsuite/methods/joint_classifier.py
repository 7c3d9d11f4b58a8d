"""The joint energy model (JEM): a classifier whose logits define an energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ebmsuite.energy import JointEnergy
from ebmsuite.errors import RecipeError
from ebmsuite.learning.trainer import Draws, Logs, Role, Trainer, sides
from ebmsuite.sampling.kernel import normal_like
from ebmsuite.schedule import Schedule, value_at
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["JointClassifier"]


@dataclass
class JointClassifier(Trainer):
    """max log p(x) + w log p(y | x), with logits f: p(x) ~ sum_y exp f_y(x), p(y | x) = softmax f(x).

    Grathwohl et al. (ICLR 2020, eq. 9): the likelihood of x uses chains on the marginal energy, the likelihood of y is
    cross entropy, both on examples with added noise of sd ``data_noise`` (published: 0.03). ``classification`` is w;
    ``energy_l2`` is the weight of E(data)^2 + E(samples)^2, which the author recommends against divergence. Samples for
    given labels are from p(x | y), by new chains of ``label_steps`` steps.
    """

    classification: float = 1.0
    data_noise: float | Schedule = 0.0
    energy_l2: float = 0.0
    label_steps: int = 500

    roles: ClassVar[Mapping[str, Role]] = {"energy": Role("energy")}
    draws: ClassVar[Mapping[str, Draws]] = {"negative": Draws("event")}

    def __post_init__(self) -> None:
        if not isinstance(self.players["energy"], JointEnergy):
            raise RecipeError("players.energy: this trainer needs an energy with logits, such as mlp-classes")

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, energy = batches["data"], self.players["energy"]
        # synthesis without labels
        negative = self.phases["negative"].draw(data, rng)
        # analysis
        x = data.x + value_at(self.data_noise, t) * normal_like(data.x, rng)
        plus, minus = energy(x), energy(negative.x)
        cross_entropy = nn.functional.cross_entropy(energy.logits(x), data.condition)
        l2 = self.energy_l2 * (plus.square() + minus.square()).mean()
        logs = self.players.update({"energy": (plus - minus).mean() + self.classification * cross_entropy + l2})
        return {
            **sides(plus, minus),
            "cross-entropy": cross_entropy.detach(),
            **logs,
        }

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.phases["negative"].sample(n, rng, condition, steps=None if condition is None else self.label_steps)

    def classify(self, x: Tensor) -> Tensor:
        logits: Tensor = self.players["energy"].logits(x)
        return logits
