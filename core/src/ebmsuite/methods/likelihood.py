"""Maximum likelihood of a normalised density."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.energy import Clamped
from ebmsuite.errors import DataError
from ebmsuite.learning.trainer import Logs, Role, Trainer
from ebmsuite.nets.filling import Filling
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["NormalisedLikelihood"]


@dataclass
class NormalisedLikelihood(Trainer):
    """max E[log p(x | condition)] of a flow, an autoregressive net or any other `Density`, without chains.

    A `Filling` also learns from incomplete data that are masked a second time: hidden coordinates that the data do not
    know do not count. `recover` gives its means of what is not known.
    """

    roles: ClassVar[Mapping[str, Role]] = {"density": Role("density")}

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, density = batches["data"], self.players["density"]
        if data.known is None:
            log_prob = density.log_prob(data.x, data.condition)
        elif isinstance(density, Filling):
            log_prob = density.log_prob(data.x, data.condition, data.known)
        else:
            raise DataError(
                f"these data have hidden coordinates, and {type(density).__name__} has no density of a part"
            )
        return self.players.update({"density": -log_prob.mean()})

    @torch.no_grad()
    def recover(self, batch: Batch, rng: torch.Generator) -> Tensor:
        density = self.players["density"]
        if batch.known is None or not isinstance(density, Filling):
            return super().recover(batch, rng)
        return density.mean(Clamped.given(batch.x, batch.known))

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        x: Tensor = self.players["density"].sample(n, rng, condition)
        return x
