"""Maximum likelihood of a normalised density."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.learning.trainer import Logs, Role, Trainer
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["NormalisedLikelihood"]


@dataclass
class NormalisedLikelihood(Trainer):
    """max E[log p(x | condition)] of a flow, an autoregressive net or any other `Density`, without chains."""

    roles: ClassVar[Mapping[str, Role]] = {"density": Role("density")}

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, density = batches["data"], self.players["density"]
        return self.players.update({"density": -density.log_prob(data.x, data.condition).mean()})

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        x: Tensor = self.players["density"].sample(n, rng, condition)
        return x
