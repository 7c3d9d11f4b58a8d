"""The divergence triangle: learning an energy, a generator and an encoder without chains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from ebmsuite.learning.trainer import Logs, Role, sides
from ebmsuite.methods.vae import ContrastedAutoencoder, evidence
from ebmsuite.space import Batch

__all__ = ["DivergenceTriangle"]


@dataclass
class DivergenceTriangle(ContrastedAutoencoder):
    """max over alpha, min over theta and phi of KL(Q || P) + KL(P || Pi) - KL(Q || Pi) (Han et al., CVPR 2019),

        Q = p_data(x) q_phi(z | x),   P = p(z) p_theta(x | z),   Pi = pi_alpha(x) q_phi(z | x),   pi = exp(-E) / Z

    With z ~ q(z | x), and (z^, x^) ~ P, the losses are

        energy:     E(x) - E(x^)
        generator:  -log p(x | z) + E(x^) - r log q(z^ | x^)
        encoder:    -log p(x | z) + w (log q(z | x) - log p(z)) - r log q(z^ | x^)

    The exact triangle has ``kl_weight`` w = 1 and ``inverse_weight`` r = 1. The published code has r = 0.1, squared
    errors without 1 / (2 sd^2), which means sd = 0.71, and a KL that is the mean over the d latent coordinates, which
    means w = 1 / d. Its x^ are the ``means`` g(z^); by default they are drawn with observation noise, as P defines.
    ``energy_l2`` is the weight of E(x)^2 + E(x^)^2 in the energy's loss.
    """

    kl_weight: float = 1.0
    inverse_weight: float = 1.0
    energy_l2: float = 0.0

    roles: ClassVar[Mapping[str, Role]] = {
        "energy": Role("energy"),
        "generator": Role("generator"),
        "encoder": Role("density"),
    }

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, c = batches["data"], batches["data"].condition
        energy, generator, encoder = (self.players[k] for k in ("energy", "generator", "encoder"))
        # Q
        explained, each_kl, _ = evidence(generator, encoder, Batch(data.x, c), rng)
        reconstruction, kl = -explained.mean(), each_kl.mean()
        # P
        drawn, x = self.generate(len(data), rng, c)
        inverse = -self.inverse_weight * encoder.log_prob(drawn, encoder.sees(Batch(x, c))).mean()
        fooled = energy(x, c).mean()
        # Pi: `update` takes the gradient of each loss for its player only, so E needs no freezing above
        plus, minus = energy(data.x, c), energy(x.detach(), c)
        l2 = self.energy_l2 * (plus.square() + minus.square()).mean()
        logs = self.players.update(
            {
                "energy": (plus - minus).mean() + l2,
                "generator": reconstruction + fooled + inverse,
                "encoder": reconstruction + self.kl_weight * kl + inverse,
            }
        )
        return {
            **sides(plus, minus),
            "reconstruction": reconstruction.detach(),
            "kl": kl.detach(),
            **logs,
        }
