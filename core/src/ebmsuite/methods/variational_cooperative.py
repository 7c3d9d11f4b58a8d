"""Variational MCMC teaching: cooperative learning with an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.learning.latents import infer
from ebmsuite.learning.trainer import Draws, Role
from ebmsuite.methods.cooperative import Cooperative
from ebmsuite.methods.vae import evidence
from ebmsuite.sampling import Draw
from ebmsuite.space import Batch

__all__ = ["VariationalCooperative"]


@dataclass
class VariationalCooperative(Cooperative):
    """`Cooperative` with a generator and an encoder that learn as a variational auto-encoder of the refined samples x~.

    z is inferred by the encoder instead of kept from G0 (Xie, Zheng, Li, AAAI 2021):

        G2  generator and encoder:  max E_q(z | x~)[log p(x~ | z, c) + w (log p(z) - log q(z | x~))]

    ``kl_weight`` w is 2 or 3 in the published code, where squared errors have no factor 1 / (2 sd^2).
    """

    kl_weight: float = 1.0

    roles: ClassVar[Mapping[str, Role]] = {**Cooperative.roles, "encoder": Role("density")}
    draws: ClassVar[Mapping[str, Draws]] = {"negative": Cooperative.draws["negative"]}

    def _teach(self, data: Batch, refined: Draw, rng: torch.Generator) -> dict[str, Tensor]:
        generator, encoder, x = self.players["generator"], self.players["encoder"], refined.x
        reconstruction, kl, _ = evidence(generator, encoder, Batch(x, data.condition), rng)
        loss = (self.kl_weight * kl - reconstruction).mean()
        return {"generator": loss, "encoder": loss}

    @torch.no_grad()
    def infer(self, batch: Batch, rng: torch.Generator) -> Tensor:
        return infer(self.players["encoder"], Batch(batch.x, batch.condition), rng).z
