"""An energy of latent vectors by denoising score matching, learned after an auto-encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.errors import RecipeError
from ebmsuite.learning.latents import infer
from ebmsuite.learning.players import Players
from ebmsuite.learning.trainer import Draws, Logs, Role
from ebmsuite.methods.dsm import DenoisingScoreMatching
from ebmsuite.methods.vae import VariationalAutoencoder
from ebmsuite.sampling.phase import in_mode
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["LatentScoreMatching"]


@dataclass
class LatentScoreMatching(VariationalAutoencoder):
    """A variational auto-encoder, learned for ``first`` steps, then p(z) ~ exp(-E(z)) of the vectors that it infers.

    The second stage is `DenoisingScoreMatching` of z ~ q(z | x) with noise level ``sigma``; generator and encoder are
    frozen (their moving averages are used if they have some). E is then the negative log density, up to a constant, of
    the z of the data convolved with N(0, sigma^2 I). Before this stage, E and its scores keep their initial values; its
    schedules count from the second stage. No chain runs in learning. Samples are the ends of the chains of ``prior``,
    decoded by the generator; ``denoise`` removes the noise before that. The energy's activations must be smooth. A
    noise-conditional energy (`NoiseConditional`, the component ``mlp-levels``) learns all its levels: leave out
    ``sigma``; samples are annealed over ``anneal`` levels.

    Vahdat, Kreis, Kautz (NeurIPS 2021) learn scores of latent vectors by a net without an energy, at all noise levels,
    together with the auto-encoder. Aneja, Schwing, Kautz, Vahdat (NeurIPS 2021) learn in two stages, by noise
    contrastive estimation. With a long z and a small generator sd, z carries much information about x. E then has much
    to learn, and it distinguishes events better than the reconstruction by the generator does.
    """

    first: int = 1000
    sigma: float | None = None
    denoise: bool = False
    anneal: int = 1

    roles: ClassVar[Mapping[str, Role]] = {
        "energy": Role("energy", noise_conditional=True),
        "generator": Role("generator"),
        "encoder": Role("density"),
    }
    draws: ClassVar[Mapping[str, Draws]] = {"prior": Draws("latent")}
    learner: ClassVar[str] = "energy"
    """The player that is the energy of latent vectors."""

    def __post_init__(self) -> None:
        if self.first < 0:
            raise RecipeError(f"trainer.first: the steps of the auto-encoder must be at least 0, got {self.first}")
        players, phases = Players({"energy": self.players[self.learner]}, {}), {"negative": self.phases["prior"]}
        self.matching = DenoisingScoreMatching(
            players, phases, sigma=self.sigma, denoise=self.denoise, anneal=self.anneal
        )

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        if t < self.first:
            return super().step(t, batches, rng)
        if t == self.first:
            self.players.reset(self.learner)
        data, encoder = batches["data"], self.players.ema.get("encoder", self.players["encoder"])
        with torch.no_grad(), in_mode(encoder, train=False):
            drawn = infer(encoder, data, rng)
        loss, logs = self.matching.loss(Batch(drawn.z, data.condition), rng)
        logs |= self.players.update({self.learner: loss})
        return {**logs, **drawn.use(self.players["generator"].latent)}

    @torch.no_grad()
    def sample_latent(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.matching.sample(n, rng, condition)
