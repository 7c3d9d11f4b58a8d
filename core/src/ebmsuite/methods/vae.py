"""The variational auto-encoder, a baseline for latent-space energies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.density import Density
from ebmsuite.generator import Generator
from ebmsuite.learning.latents import Inferred, infer
from ebmsuite.learning.trainer import Logs, Role, Trainer
from ebmsuite.schedule import Schedule, value_at
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["Autoencoder", "ContrastedAutoencoder", "VariationalAutoencoder", "evidence"]


def evidence(
    generator: Generator, encoder: Density, batch: Batch, rng: torch.Generator
) -> tuple[Tensor, Tensor, Inferred]:
    """log p(x | z, c) and log q(z | x) - log p(z), [B] each, at a z drawn by the encoder, and that z."""
    drawn = infer(encoder, batch, rng)
    z = drawn.z
    explained = generator.log_prob(batch.x, z, batch.condition)
    return explained, encoder.log_prob(z, encoder.sees(batch)) - generator.latent.log_prob(z), drawn


class Autoencoder(Trainer):
    """The base of auto-encoders: an encoder infers z."""

    @torch.no_grad()
    def infer(self, batch: Batch, rng: torch.Generator) -> Tensor:
        return infer(self.players["encoder"], batch, rng).z


@dataclass
class ContrastedAutoencoder(Autoencoder):
    """The base of auto-encoders that learn with an energy, which contrasts data with the model's events.

    The model's events are draws of p(x | z). With ``means`` they are the means g(z), as in the published code: the
    energy then compares g(z) with data that have no observation noise either. Without it, an energy of pictures learns
    little else than the noise.
    """

    means: bool = False

    def generate(self, n: int, rng: torch.Generator, condition: Tree) -> tuple[Tensor, Tensor]:
        """``n`` latent vectors z ~ p(z) and their events, which are differentiable in the generator's parameters."""
        generator = self.players["generator"]
        z = generator.latent.sample(n, rng, condition)
        return z, (generator.decode if self.means else generator.draw)(z, rng, condition)

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.generate(n, rng, condition)[1]


@dataclass
class VariationalAutoencoder(Autoencoder):
    """max E_q[log p(x | z) + w (log p(z) - log q(z | x))], z drawn from the encoder (Kingma & Welling, ICLR 2014).

    p(z) is the generator's latent density. ``kl_weight`` w = 1 gives the bound on log p(x). A w below 1, or one that
    rises to 1, keeps a strong generator from ignoring z.
    """

    kl_weight: float | Schedule = 1.0

    roles: ClassVar[Mapping[str, Role]] = {"generator": Role("generator"), "encoder": Role("density")}

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, generator, encoder = batches["data"], self.players["generator"], self.players["encoder"]
        reconstruction, kl, drawn = evidence(generator, encoder, data, rng)
        loss = (value_at(self.kl_weight, t) * kl - reconstruction).mean()
        logs = self.players.update({"generator": loss, "encoder": loss})
        seen = {"reconstruction": -reconstruction.detach().mean(), "kl": kl.detach().mean()}
        return {**seen, **drawn.use(generator.latent), **logs}

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        """Means g(z), as in the papers."""
        return self.decode(self.sample_latent(n, rng, condition), rng, condition)
