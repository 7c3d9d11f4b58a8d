"""Cooperative diffusion recovery likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.learning.diffusion import COSINE, Level
from ebmsuite.learning.trainer import Role
from ebmsuite.methods.recovery import RecoveryLikelihood, given, level_of_noise
from ebmsuite.sampling import Start
from ebmsuite.sampling.kernel import normal_like, per_row
from ebmsuite.tree import Tree

__all__ = ["CooperativeRecovery"]


@dataclass
class CooperativeRecovery(RecoveryLikelihood):
    """Recovery likelihood with a generator that gives the starts of the chains (Zhu, Xie, Wu, Gao, ICLR 2024).

        y^ = x_{t+1} + g(z, x_{t+1}, t) + a_{t+1} s_t e,    y by a few steps from y^ on `recovery`'s conditional
        energy:     w_t (E(a x_t) - E(y))       generator:  -log p(y - x_{t+1} | z, x_{t+1}, t),  e left out

    s_t = noise_t sigma_{t+1} / noise_{t+1} is the sd of x_t given x and x_{t+1}. x_t and x_{t+1} are the data with the
    same noise n at two noise levels, which reduces the variance of the energy's gradient. With ``latent: 0`` the
    generator is the published one, a net of x_{t+1} and t. With a latent vector, it learns with the z from which y^ was
    made (MCMC teaching). Published: levels `COSINE`, step_scale 4e-4, 15 steps, Adam at 1e-4, and at 1e-5 for the
    generator, ``denoise`` at the end (there with twice the score that the chains imply; here with that score).
    """

    log_snr: tuple[float, ...] = COSINE
    step_scale: float = 4e-4
    noise_at_test: float = 1.0
    denoise: bool = True

    roles: ClassVar[Mapping[str, Role]] = {
        "energy": Role("energy", condition=level_of_noise),
        "generator": Role("generator", condition=lambda s: (s.event, level_of_noise(s))),
    }

    def _noised(self, x: Tensor, level: Level, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """x_t and x_{t+1} with the same noise."""
        noise = normal_like(x, rng)
        kept = per_row(level.kept, x)
        return (
            kept * x + per_row(level.noise, x) * noise,
            per_row(level.a, x) * kept * x + per_row(level.noise_next, x) * noise,
        )

    @torch.no_grad()
    def _start(self, noisy: Tensor, level: Level, condition: Tree, rng: torch.Generator) -> Start:
        generator, seen = self.players["generator"], (noisy, given(level.time, condition))
        z = generator.latent.sample(len(noisy), rng)
        moved = generator.decode(z, rng, seen)
        spread = torch.where(level.last, 1.0, level.a) * level.noise * level.sigma / level.noise_next
        return Start(noisy + moved + per_row(spread, noisy) * normal_like(noisy, rng), latent=z)

    def _taught(self, x: Tensor, start: Start, noisy: Tensor, level: Level, condition: Tree) -> Mapping[str, Tensor]:
        seen = (noisy, given(level.time, condition))
        return {"generator": -self.players["generator"].log_prob(x - noisy, start.latent, seen).mean()}
