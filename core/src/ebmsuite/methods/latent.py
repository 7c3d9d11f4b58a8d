"""The latent-space energy-based prior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ebmsuite.errors import RecipeError
from ebmsuite.generator import Posterior
from ebmsuite.learning.latents import Inferred, infer, temperatures_agree
from ebmsuite.learning.trainer import WATCHED_LATENT, Draws, Logs, Role, Trainer, sides
from ebmsuite.sampling import Proposal, Start
from ebmsuite.space import Batch

__all__ = ["LatentPrior"]


@dataclass
class LatentPrior(Trainer):
    """p(z) p(x | z) with an energy of the latent vector and a generator (Pang et al., NeurIPS 2020, algorithm 1).

    With z+ ~ p(z | x) and z- ~ p(z), both by short chains, the gradients of log p(x) are

        energy:     E[dE(z-)] - E[dE(z+)]          generator:  E[d log p(x | z+)]

    An optional ``encoder`` q(z | x) gives the starts of the posterior's chains (``chains: {name: proposal}``); a few
    steps are then enough. With ``encoder_learns: end`` it learns from the ends of the chains by log q(z+ | x) (Yu et
    al., NeurIPS 2023). The chains must then be long enough to forget part of their start, or the encoder learns from
    itself. With ``encoder_learns: bound`` it minimises KL(q(z | x), p(z | x)), at the cost of one more pass through the
    generator. Its input is the batch's ``view`` if there is one.

    By default the model is conditional, p(x | c): all players get the condition c. With ``joint`` it models p(x, c),
    with an energy whose value without a condition is its marginal; samples for a given c are still from p(x | c).
    ``energy_l2`` is the weight of E(z+)^2 + E(z-)^2 in the energy's loss.
    """

    encoder_learns: Literal["end", "bound"] = "end"
    joint: bool = False
    energy_l2: float = 0.0

    roles: ClassVar[Mapping[str, Role]] = {
        "energy": Role("energy"),
        "generator": Role("generator"),
        "encoder": Role("density", optional=True),
    }
    draws: ClassVar[Mapping[str, Draws]] = {
        "posterior": Draws("latent", lambda players: Posterior(players["energy"], players["generator"])),
        "prior": Draws("latent"),
    }
    watched: ClassVar[Mapping[str, tuple[float, float]]] = WATCHED_LATENT

    def __post_init__(self) -> None:
        posterior = self.phases.get("posterior")
        if "encoder" in self.players and posterior is not None and not isinstance(posterior.chains, Proposal):
            raise RecipeError(
                "players.encoder: no chain starts from it; set phases.posterior.chains={name: proposal} or leave it out"
            )

    def cautions(self) -> list[str]:
        return temperatures_agree(self.phases, "posterior")

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, energy, generator = batches["data"], self.players["energy"], self.players["generator"]
        given, proposed = data.condition, self._proposed(data, rng)
        # inference and synthesis
        start = None if proposed is None else Start(proposed.z.detach())
        posterior = self.phases["posterior"].draw(data, rng, (data.x, given), start)
        prior = self.phases["prior"].draw(data, rng, None if self.joint else given)
        # learning
        plus, minus = energy(posterior.x, given), energy(prior.x, prior.condition)
        l2 = self.energy_l2 * (plus.square() + minus.square()).mean()
        losses = {
            "energy": (plus - minus).mean() + l2,
            "generator": -generator.log_prob(data.x, posterior.x, given).mean(),
        }
        if proposed is not None:
            encoder = self.players["encoder"]
            if self.encoder_learns == "end":
                losses["encoder"] = -encoder.log_prob(posterior.x, encoder.sees(data)).mean()
            else:
                energies = self.phases["posterior"].energy(proposed.z, (data.x, given))
                losses["encoder"] = (energies + encoder.log_prob(proposed.z, encoder.sees(data))).mean()
        logs = self.players.update(losses)
        return {
            **sides(plus, minus),
            **({} if proposed is None else proposed.use(generator.latent)),
            "z/posterior": posterior.x.square().mean().sqrt(),
            "z/prior": prior.x.square().mean().sqrt(),
            "moved/posterior": (posterior.x - posterior.start.x).square().mean().sqrt(),
            **logs,
        }

    @torch.no_grad()
    def infer(self, batch: Batch, rng: torch.Generator) -> Tensor:
        proposed = self._proposed(batch, rng)
        start = None if proposed is None else Start(proposed.z)
        return self.phases["posterior"].sample(len(batch), rng, (batch.x, batch.condition), start)

    def _proposed(self, batch: Batch, rng: torch.Generator) -> Inferred | None:
        return infer(self.players["encoder"], batch, rng) if "encoder" in self.players else None
