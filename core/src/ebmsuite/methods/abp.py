"""Alternating back-propagation: learning a generator without another net."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.errors import UserError
from ebmsuite.generator import NormalGenerator
from ebmsuite.learning.trainer import WATCHED_LATENT, Draws, Logs, Role, Trainer, generator_posterior
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["AlternatingBackpropagation"]


@dataclass
class AlternatingBackpropagation(Trainer):
    """x = g(z, c) + e, z ~ p(z): maximum likelihood of a generator alone (Han et al., AAAI 2017, algorithm 1).

        inference:  z+ ~ p(z | x, c), by Langevin dynamics from the last state of this example's chain
        learning:   E[d log p(x | z+, c)]

    If a batch has coordinates that are not ``known``, both steps use the known ones only: log p(x | z) is a sum over
    the known coordinates, and g(z+) recovers the others.

    The chains ``memory`` keep one z per example, the published warm start. Outside learning no chain is kept: chains
    start from their density and make ``cold`` steps.
    """

    cold: int = 100

    roles: ClassVar[Mapping[str, Role]] = {"generator": Role("generator")}
    draws: ClassVar[Mapping[str, Draws]] = {"posterior": Draws("latent", generator_posterior)}
    watched: ClassVar[Mapping[str, tuple[float, float]]] = WATCHED_LATENT

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, generator = batches["data"], self.players["generator"]
        given = self._observed(data)
        posterior = self.phases["posterior"].draw(data, rng, given)
        observed, condition, *known = given
        loss = -generator.log_prob(observed, posterior.x, condition, *known).mean()
        return {
            "z/posterior": posterior.x.square().mean().sqrt(),
            "moved/posterior": (posterior.x - posterior.start.x).square().mean().sqrt(),
            **self.players.update({"generator": loss}),
        }

    @torch.no_grad()
    def infer(self, batch: Batch, rng: torch.Generator) -> Tensor:
        return self.phases["posterior"].sample(len(batch), rng, self._observed(batch), steps=self.cold)

    @torch.no_grad()
    def recover(self, batch: Batch, rng: torch.Generator) -> Tensor:
        x = self.decode(self.infer(batch, rng), rng, batch.condition)
        return x if batch.known is None else torch.where(batch.known, batch.x, x)

    def _observed(self, batch: Batch) -> tuple[Tree, ...]:
        """The posterior's condition."""
        if batch.known is None:
            return batch.x, batch.condition
        if not isinstance(self.players["generator"], NormalGenerator):
            raise UserError("abp: the data hide coordinates, and only a generator with normal noise can leave them out")
        return batch.x, batch.condition, batch.known
