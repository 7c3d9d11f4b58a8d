"""An energy of latent vectors by denoising score matching, after an auto-encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from ebmsuite.energy import Energy
from ebmsuite.errors import RecipeError
from ebmsuite.learning.score_matching import DenoisingScoreMatching
from ebmsuite.learning.trainer import Logs
from ebmsuite.learning.vae import VariationalAutoencoder
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["LatentScoreMatching"]


@dataclass
class LatentScoreMatching(VariationalAutoencoder):
    """First a variational auto-encoder, for ``first`` steps, then p(z) ~ exp(-E(z)) from the vectors that it infers.

    The second stage is `DenoisingScoreMatching` with the noise ``sigma`` of z ~ q(z | x), generator and encoder held
    still: E is the negative log density, up to a constant, of all the z of the data convolved with N(0, sigma^2 I).
    No chain is run in learning: those of ``prior`` are for samples, which the generator decodes, and ``denoise`` takes
    the noise off before. Published with a score in the place of an energy (Vahdat, Kreis, Kautz, NeurIPS 2021), and
    with an energy by contrast (Aneja, Schwing, Kautz, Vahdat, NeurIPS 2021).

    A generator that is told much, by a long z and a small sd, leaves much for E to learn, and E tells more than what
    the generator makes of z. Where the energy's rate has a schedule, it begins with ``delay: first``.
    """

    first: int = 1000
    sigma: float = 0.3
    denoise: bool = False

    roles: ClassVar[Mapping[str, str]] = {"energy": "energy", "generator": "generator", "encoder": "density"}
    draws: ClassVar[Mapping[str, Literal["event", "latent"]]] = {"prior": "latent"}

    def __post_init__(self) -> None:
        if self.first < 0:
            raise RecipeError(f"trainer.first: steps of the auto-encoder, at least 0, got {self.first}")
        phases = {"negative": self.phases["prior"]}
        self.matching = DenoisingScoreMatching(self.players, phases, sigma=self.sigma, denoise=self.denoise)

    @staticmethod
    def energies(players: Mapping[str, Any]) -> Mapping[str, Energy]:
        return {"prior": players["energy"]}

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        if t < self.first:
            return super().step(t, batches, rng)
        data = batches["data"]
        return self.matching.step(t, {"data": Batch(self.infer(data, rng), data.condition)}, rng)

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.decode(self.matching.sample(n, rng, condition), rng, condition)
