"""An energy of latent vectors by denoising score matching, after an auto-encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.errors import RecipeError
from ebmsuite.learning.trainer import Draws, Logs, Role
from ebmsuite.methods.dsm import DenoisingScoreMatching
from ebmsuite.methods.vae import VariationalAutoencoder
from ebmsuite.sampling.phase import in_mode
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["LatentScoreMatching"]


@dataclass
class LatentScoreMatching(VariationalAutoencoder):
    """First a variational auto-encoder, for ``first`` steps, then p(z) ~ exp(-E(z)) from the vectors that it infers.

    The second stage is `DenoisingScoreMatching` with the noise ``sigma`` of z ~ q(z | x), generator and encoder held
    still (their averages, where they have some): E is the negative log density, up to a constant, of all the z of the
    data convolved with N(0, sigma^2 I). Until then it is what it was at first, and so are its scores. Its schedules
    count from the second stage. No chain is run in learning: those of ``prior`` are for samples, which the generator
    decodes, and ``denoise`` takes the noise off before. The energy's activations must be smooth. An energy that is told
    the noise (`NoiseConditional`, the component ``mlp-levels``) learns all its levels: ``sigma`` is left out, and
    samples come down ``anneal`` levels.

    Scores of latent vectors: Vahdat, Kreis, Kautz (NeurIPS 2021), there of a net without an energy, at all levels of
    noise, together with the auto-encoder. In two stages, by contrast: Aneja, Schwing, Kautz, Vahdat (NeurIPS 2021).
    A generator that is told much, by a long z and a small sd, leaves much for E to learn, and E tells more than what
    the generator makes of z.
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

    def __post_init__(self) -> None:
        if self.first < 0:
            raise RecipeError(f"trainer.first: steps of the auto-encoder, at least 0, got {self.first}")
        phases = {"negative": self.phases["prior"]}
        self.matching = DenoisingScoreMatching(
            self.players, phases, sigma=self.sigma, denoise=self.denoise, anneal=self.anneal
        )

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        if t < self.first:
            return super().step(t, batches, rng)
        if t == self.first:
            self.players.reset("energy")
        data, encoder = batches["data"], self.players.ema.get("encoder", self.players["encoder"])
        with torch.no_grad(), in_mode(encoder, train=False):
            z = encoder.sample(len(data), rng, data.encoder_input)
        return self.matching.step(t, {"data": Batch(z, data.condition)}, rng)

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.decode(self.matching.sample(n, rng, condition), rng, condition)
