"""Cooperative learning of an energy and a generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.density import event_sum
from ebmsuite.errors import RecipeError
from ebmsuite.learning.trainer import Draws, Logs, Role, Trainer, generator_posterior, sides
from ebmsuite.sampling import Draw, Start
from ebmsuite.sampling.phase import propose
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["Cooperative"]


@dataclass
class Cooperative(Trainer):
    """A generator starts the chains of an energy and learns from their ends (Xie et al., AAAI 2018).

        G0  z ~ p(z), x^ = g(z, c)          the initialiser, fast thinking
        D1  x~ = K Langevin steps on E(x | c) from x^          the solver, slow thinking
        G1  z by Langevin steps on p(z | x~, c) from the z of G0, if there is a phase "inference"
        D2  energy:     E[dE(x | c)] - E[dE(x~ | c)]
        G2  generator:  E[d log p(x~ | z, c)]                  MCMC teaching

    Without "inference", z is that of G0, which is the published choice. ``observed`` is the weight gamma of the L1 loss
    |x - g(z, c)|_1 in (1 - gamma) L_teach + gamma L_1, by which the initialiser also learns from the examples of c; it
    is 0.2 for image-to-image translation (Xie et al., TPAMI 2021, code). Published settings (code): K = 15, step size
    0.002 with a reference of sd 0.016, observation noise 0.3, Adam with betas (0.5, 0.999) at 0.007 (energy) and 1e-4
    (generator).

    Samples are the results of G0 and D1.
    """

    observed: float = 0.0

    roles: ClassVar[Mapping[str, Role]] = {"energy": Role("energy"), "generator": Role("generator")}
    draws: ClassVar[Mapping[str, Draws]] = {
        "negative": Draws("event", proposal=True),
        "inference": Draws("latent", generator_posterior, optional=True, proposal=True),
    }

    def __post_init__(self) -> None:
        if not 0 <= self.observed <= 1:
            raise RecipeError(f"trainer.observed: must be between 0 and 1, got {self.observed:g}")
        propose(self.phases, "negative", self._proposed)

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, energy = batches["data"], self.players["energy"]
        refined = self._synthesise(data, rng)
        plus, minus = energy(data.x, data.condition), energy(refined.x, data.condition)
        losses = {"energy": (plus - minus).mean(), **self._teach(data, refined, rng)}
        logs = self.players.update(losses)
        return {
            **sides(plus, minus),
            "moved/negative": (refined.x - refined.start.x).square().mean().sqrt(),
            **logs,
        }

    def _synthesise(self, data: Batch, rng: torch.Generator) -> Draw:
        """G0 and D1."""
        c = data.condition
        return self.phases["negative"].draw(data, rng, c, self._proposed(len(data), rng, c))

    def _teach(self, data: Batch, refined: Draw, rng: torch.Generator) -> dict[str, Tensor]:
        """G1 and G2: the generator's loss."""
        z, c, generator = refined.start.latent, data.condition, self.players["generator"]
        if "inference" in self.phases:
            assert z is not None
            z = self.phases["inference"].draw(data, rng, (refined.x, c), Start(z)).x
        loss = -generator.log_prob(refined.x, z, c).mean()
        if self.observed:
            away = event_sum((data.x - generator.decode(z, rng, c)).abs()).mean()
            loss = (1 - self.observed) * loss + self.observed * away
        return {"generator": loss}

    @torch.no_grad()
    def _proposed(self, n: int, rng: torch.Generator, condition: Tree) -> Start:
        z = self.players["generator"].latent.sample(n, rng, condition)
        return Start(self.decode(z, rng, condition), condition, latent=z)

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.phases["negative"].sample(n, rng, condition)
