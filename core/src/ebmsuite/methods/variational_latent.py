"""The variational latent-space energy-based prior: an energy of z that learns beside an auto-encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ebmsuite.density import Encoder, Gaussian
from ebmsuite.errors import RecipeError
from ebmsuite.learning.latents import Inferred, infer, temperatures_agree
from ebmsuite.learning.trainer import WATCHED_LATENT, Draws, Logs, Role, sides
from ebmsuite.methods.vae import Autoencoder
from ebmsuite.schedule import Schedule, value_at
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["VariationalLatent"]


@dataclass
class VariationalLatent(Autoencoder):
    """p(z | c) p(x | z, c) with an energy of z, a generator and an encoder q(z | x, c), learned by a variational bound.

    The prior p(z | c) = exp(-E(z, c)) / Z(c) is the generator's latent density p_0, tilted by U(z, c) = E(z, c) +
    log p_0(z). With z+ ~ q(z | x, c) and z- ~ p(z | c) from chains, the losses are, in nats per example,

        generator, encoder:  -log p(x | z+, c) + w [KL(q(z | x, c) || p_0) + k U(z+, c)]
        energy:              E(z+, c) - E(z-, c)

    (LB-EBM: Pang, Zhao, Xie, Wu, CVPR 2021; SVEBM: Pang & Wu, ICML 2021). ``kl_weight`` is w and ``coupling`` is k, the
    share of the tilt that the encoder feels. w = k = 1 is the bound on log p(x | c). k = 0 hides the energy from the
    encoder: the prior then learns the vectors of a plain auto-encoder. In between, the encoder fits the prior tilted
    by k U. At k = 1 the encoder can follow the wells that the energy digs where its chains have not been yet, and both
    run away: the KL divergence and z grow without end. The published code of LB-EBM sums the KL divergence over a batch
    of 70 and means all else, so that k = 1 / (0.5 * 70) = 0.03 there, which is the default here.

    ``free_bits`` are nats per coordinate below which the KL divergence is not reduced. "clamp" counts
    max(free_bits, KL_i) with KL_i averaged over the batch (Kingma et al., NeurIPS 2016). "mask" drops each coordinate
    of each example whose own KL divergence is below (Li et al., EMNLP 2019; the code of SVEBM, with 1 nat). Cyclical
    annealing is a schedule of ``kl_weight`` with a period. With ``mean_at_zero``, z+ is the mean of q while w = 0, a
    plain auto-encoder without noise, as in the code of SVEBM. The KL divergence is analytic if encoder and p_0 are
    normal, which free bits require; otherwise it is estimated at z+.

    All players get the condition c. An energy with ``conditional: false`` ignores it, which is a prior p(z). An encoder
    sees it with ``conditional: true``. ``energy_l2`` is the weight of E(z+)^2 + E(z-)^2 in the energy's loss.
    """

    kl_weight: float | Schedule = 1.0
    coupling: float | Schedule = 0.03
    free_bits: float = 0.0
    free_bits_mode: Literal["clamp", "mask"] = "clamp"
    mean_at_zero: bool = False
    energy_l2: float = 0.0

    roles: ClassVar[Mapping[str, Role]] = {
        "energy": Role("energy"),
        "generator": Role("generator"),
        "encoder": Role("density"),
    }
    draws: ClassVar[Mapping[str, Draws]] = {"prior": Draws("latent")}
    watched: ClassVar[Mapping[str, tuple[float, float]]] = WATCHED_LATENT

    def __post_init__(self) -> None:
        encoder, base = self.players["encoder"], self.players["generator"].latent
        if self.free_bits < 0:
            raise RecipeError(f"trainer.free_bits: must be at least 0, got {self.free_bits:g}")
        if self.free_bits and not (isinstance(encoder, Encoder) and isinstance(base, Gaussian)):
            raise RecipeError(
                "trainer.free_bits: needs the KL divergence per coordinate, so encoder and latent density must be "
                "normal; set it to 0 or use another encoder, such as mlp-encoder"
            )
        if self.mean_at_zero and not isinstance(encoder, Encoder):
            raise RecipeError("trainer.mean_at_zero: this encoder has no mean; use another, such as mlp-encoder")

    def cautions(self) -> list[str]:
        return temperatures_agree(self.phases)

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, c = batches["data"], batches["data"].condition
        energy, generator, encoder = (self.players[k] for k in ("energy", "generator", "encoder"))
        weight, coupling = value_at(self.kl_weight, t), value_at(self.coupling, t)
        # inference and synthesis
        drawn = infer(encoder, data, rng)
        if self.mean_at_zero and weight == 0 and drawn.mean is not None:
            drawn = drawn._replace(z=drawn.mean)
        z = drawn.z
        prior = self.phases["prior"].draw(data, rng, c)
        # learning
        plus, minus = energy(z, c), energy(prior.x, prior.condition)
        reconstruction = -generator.log_prob(data.x, z, c).mean()
        tilt = (plus + generator.latent.log_prob(z)).mean()
        bound = reconstruction + weight * (self._divergence(drawn, data) + coupling * tilt)
        l2 = self.energy_l2 * (plus.square() + minus.square()).mean()
        logs = self.players.update({"energy": (plus - minus).mean() + l2, "generator": bound, "encoder": bound})
        return {
            **sides(plus, minus),
            "reconstruction": reconstruction.detach(),
            "kl_weight": bound.new_tensor(weight),
            **drawn.use(generator.latent),
            "z/prior": prior.x.square().mean().sqrt(),
            **logs,
        }

    def _divergence(self, drawn: Inferred, batch: Batch) -> Tensor:
        """KL(q || p_0) in nats per example, with free bits."""
        encoder, base = self.players["encoder"], self.players["generator"].latent
        kl = drawn.divergence(base)
        if kl is None:
            value: Tensor = (encoder.log_prob(drawn.z, encoder.sees(batch)) - base.log_prob(drawn.z)).mean()
            return value
        if self.free_bits_mode == "mask":
            return (kl * (kl > self.free_bits)).sum(1).mean()
        each = kl.mean(0)
        above = self.players.mean(each.detach()) > self.free_bits
        return torch.where(above, each, self.free_bits).sum()

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        """Events for z by chains of the prior."""
        return self.decode(self.phases["prior"].sample(n, rng, condition), rng, condition)
