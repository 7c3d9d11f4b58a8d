"""Probes: each trainer at most 30 lines, with no special case anywhere in the core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from ebmsuite.energy import Posterior
from ebmsuite.learning import Trainer
from ebmsuite.sampling import Start


@dataclass
class Cooperative(Trainer):
    """The generator starts the chain and learns from where it ends (Xie et al., AAAI 2018)."""

    roles: ClassVar[Mapping] = {"energy": "energy", "generator": "generator"}
    draws: ClassVar[Mapping] = {"negative": "event"}

    @staticmethod
    def energies(players):
        return {"negative": players["energy"]}

    def step(self, t, batches, rng):
        data, energy, g = batches["data"], self.players["energy"], self.players["generator"]
        z = g.latent.sample(len(data), rng)
        proposal = Start(g(z).detach(), latent=z)
        revised = self.phases["negative"].draw(data, rng, proposal=proposal)
        gap = (energy(data.x) - energy(revised.x)).mean()
        teach = -g.log_prob(revised.x, revised.start.latent).mean()
        return {"gap": gap.detach(), **self.players.update({"energy": gap, "generator": teach})}

    @torch.no_grad()
    def sample(self, n, rng, condition=None):
        g = self.players["generator"]
        return self.phases["negative"].sample(n, rng, proposal=Start(g.sample(n, rng)))


@dataclass
class LatentPrior(Trainer):
    """An energy on the latent vector and a generator from it (Pang et al., NeurIPS 2020)."""

    roles: ClassVar[Mapping] = {"energy": "energy", "generator": "generator"}
    draws: ClassVar[Mapping] = {"posterior": "latent", "prior": "latent"}

    @staticmethod
    def energies(players):
        prior = players["energy"]
        return {"prior": prior, "posterior": Posterior(prior, players["generator"])}

    def step(self, t, batches, rng):
        data, energy, g = batches["data"], self.players["energy"], self.players["generator"]
        posterior = self.phases["posterior"].draw(data, rng, (data.x, data.condition))
        prior = self.phases["prior"].draw(data, rng)
        gap = (energy(posterior.x) - energy(prior.x)).mean()
        reconstruct = -g.log_prob(data.x, posterior.x).mean()
        return {"gap": gap.detach(), **self.players.update({"energy": gap, "generator": reconstruct})}

    @torch.no_grad()
    def sample(self, n, rng, condition=None):
        return self.players["generator"](self.phases["prior"].sample(n, rng))


@dataclass(frozen=True)
class MeanDistance:
    """Distance between the means of n samples and of the test data."""

    def __call__(self, model, data, rng, n):
        from ebmsuite.scores import Score

        test = data["test"].x
        return Score(float((model.sample(n, rng=rng).mean(0) - test.mean(0)).norm()), protocol={"n": n})
