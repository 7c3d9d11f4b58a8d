"""Joint training of a variational auto-encoder and an energy of events and latent vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.learning.trainer import Logs, Role, sides
from ebmsuite.methods.vae import ContrastedAutoencoder
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["JointVAE"]


@dataclass
class JointVAE(ContrastedAutoencoder):
    """max over alpha, min over theta and phi of KL(Q || P) + KL(P || Pi) - KL(Q || Pi) (Han et al., CVPR 2020),

        Q = p_data(x) q_phi(z | x),   P = p(z) p_theta(x | z),   Pi = exp(-E(x, z)) / Z

    This is `DivergenceTriangle` with an energy of the pair (x, z). With z ~ q(z | x) and (z^, x^) ~ P the losses are

        energy:     E(x, z) - E(x^, z^)
        generator:  -log p(x | z) + E(x^, z^)
        encoder:    -log p(x | z) - log p(z) + h log q(z | x) - E(x, z)

    The entropy of P is constant if the observation noise is constant, so it needs no term. The entropy of Q cancels in
    the objective, which is ``entropy`` h = 0. There, only E = -log p(x, z) keeps the encoder from collapsing to a
    point, and learning oscillates around this optimum. With h = 1 the full variational bound remains, with the contrast
    as a further term that vanishes when the model fits; E is then a critic and no log-density. ``contrast`` is the
    weight of E for generator and encoder. ``energy_l2`` is the weight of E(x, z)^2 + E(x^, z^)^2 in the energy's loss.

    The condition of the energy is z, or (z, c) if the data have a condition c.
    """

    entropy: float = 1.0
    contrast: float = 1.0
    energy_l2: float = 0.0

    roles: ClassVar[Mapping[str, Role]] = {
        "energy": Role("energy", condition=lambda s: s.latent if s.condition is None else (s.latent, s.condition)),
        "generator": Role("generator"),
        "encoder": Role("density"),
    }

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, c = batches["data"], batches["data"].condition
        energy, generator, encoder = (self.players[k] for k in ("energy", "generator", "encoder"))

        def pair(z: Tensor) -> Tree:
            return z if c is None else (z, c)

        # Q and P
        z = encoder.sample(len(data), rng, encoder.sees(data))
        explained = generator.log_prob(data.x, z, c).mean()
        log_q, log_prior = encoder.log_prob(z, encoder.sees(data)).mean(), generator.latent.log_prob(z).mean()
        drawn, x = self.generate(len(data), rng, c)
        # E for the losses of generator and encoder
        fooled, familiar = energy(x, pair(drawn)).mean(), energy(data.x, pair(z)).mean()
        # E for its own loss
        plus, minus = energy(data.x, pair(z.detach())), energy(x.detach(), pair(drawn))
        l2 = self.energy_l2 * (plus.square() + minus.square()).mean()
        logs = self.players.update(
            {
                "energy": (plus - minus).mean() + l2,
                "generator": self.contrast * fooled - explained,
                "encoder": self.entropy * log_q - log_prior - explained - self.contrast * familiar,
            }
        )
        kl = (log_q - log_prior).detach()
        return {**sides(plus, minus), "reconstruction": -explained.detach(), "kl": kl, **logs}
