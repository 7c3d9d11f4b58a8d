"""Diffusion recovery likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ebmsuite.energy import Recovery
from ebmsuite.errors import RecipeError
from ebmsuite.learning.diffusion import T6, Diffusion, Level
from ebmsuite.learning.trainer import Draws, Logs, Role, Spaces, Trainer
from ebmsuite.sampling import Start
from ebmsuite.sampling.kernel import normal_like, per_row, target_of
from ebmsuite.space import TIME_EMBEDDING, Batch, ConditionSpace, Space
from ebmsuite.tree import Tree

__all__ = ["RecoveryLikelihood", "given"]


def given(time: Tensor, condition: Tree) -> Tree:
    """The condition of a net: the noise level, and the data's condition if there is one."""
    return time if condition is None else (time, condition)


def level_of_noise(spaces: Spaces) -> ConditionSpace:
    """The space of the condition of a player that takes the noise level and, if there is one, the data's condition."""
    return TIME_EMBEDDING if spaces.condition is None else (TIME_EMBEDDING, spaces.condition)


@dataclass
class RecoveryLikelihood(Trainer):
    """Conditional energies of events given slightly noisier ones (Gao, Song, Poole, Wu, Kingma, ICLR 2021).

        p(y_t | x_{t+1}) ~ exp(-E(y_t, t) / b_t^2 - |y_t - x_{t+1}|^2 / 2 sigma_{t+1}^2),    y_t = a_{t+1} x_t

    These conditionals are learned by maximum likelihood. Chains start at x_{t+1}, close to their target. The unit of
    length of a step is b_t, with b_t^2 = ``step_scale`` (noise_t / noise_0)^``growth`` sigma_{t+1}^2. E is divided by
    b_t^2, so its gradient has weight 1/2 at every level with the sampler ``{name: langevin, step_size: 1}``. The
    noisiest level has no quadratic term and a = 1: it is a plain energy near N(0, I). ``weights`` selects the weights
    of the differences of E in the loss. "sigma" is sigma_1 / sigma_{t+1}, as published. "likelihood" is 1 / b_t^2,
    which gives the gradient of log p: coarse levels then do not dominate the fine ones, whose E are of order b_t^2.

    The levels are ``log_snr``, log(kept^2 / noise^2) of x_t = kept x + noise n, from data to noise; the default is the
    published T6. The energy gets the level as `Level.time`, 8 cosines (in a tuple with the data's condition, if there
    is one). It should have no reference, which b_t^2 would divide too. The levels suit data of unit size or in [-1, 1].
    Samples start from N(0, I) and pass through all levels, with the noise of their chains multiplied by
    ``noise_at_test``. With ``denoise``, one step of Tweedie's formula removes the noise of the first level.
    """

    event: Space
    log_snr: tuple[float, ...] = T6
    step_scale: float = 2e-4
    growth: float = 1.0
    weights: Literal["sigma", "likelihood"] = "sigma"
    noise_at_test: float = 0.99
    denoise: bool = False

    roles: ClassVar[Mapping[str, Role]] = {"energy": Role("energy", condition=level_of_noise)}
    draws: ClassVar[Mapping[str, Draws]] = {
        "negative": Draws("event", lambda players: Recovery(players["energy"])),
    }

    def __post_init__(self) -> None:
        self.diffusion = Diffusion(tuple(self.log_snr))
        for name in ("step_scale", "noise_at_test"):
            if getattr(self, name) <= 0:
                raise RecipeError(f"trainer.{name}: must be above 0, got {getattr(self, name):g}")

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, energy = batches["data"], self.players["energy"]
        level = self.diffusion.level(self._levels(len(data), rng))
        x, noisy = self._noised(data.x, level, rng)
        positive = per_row(torch.where(level.last, 1.0, level.a), x) * x
        start, tied = self._start(noisy, level, data.condition, rng), self._tied(noisy, level, data.condition)
        negative = self.phases["negative"].draw(data, rng, tied, start)
        weights = self.diffusion.first_sigma / level.sigma if self.weights == "sigma" else self._unit(level) ** -2
        seen = given(level.time, data.condition)
        gaps = energy(positive, seen) - energy(negative.x, seen)
        losses = {"energy": (weights * gaps).mean(), **self._taught(negative.x, start, noisy, level, data.condition)}
        logs = self.players.update(losses)
        moved = (negative.x - start.x).square().mean().sqrt()
        return {"gap": gaps.detach().mean(), "moved": moved, **logs}

    def _levels(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.randint(self.diffusion.steps, (n,), generator=rng, device=rng.device)

    def _noised(self, x: Tensor, level: Level, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """x_t, and x_{t+1} made from it by adding noise."""
        less = per_row(level.kept, x) * x + per_row(level.noise, x) * normal_like(x, rng)
        return less, per_row(level.a, x) * less + per_row(level.sigma, x) * normal_like(x, rng)

    def _start(self, noisy: Tensor, level: Level, condition: Tree, rng: torch.Generator) -> Start:
        """The starts of the chains: the noisy events."""
        return Start(noisy)

    def _taught(self, x: Tensor, start: Start, noisy: Tensor, level: Level, condition: Tree) -> Mapping[str, Tensor]:
        """The losses of players other than the energy, given the ends x of the chains."""
        return {}

    def _unit(self, level: Level) -> Tensor:
        """b_t, [B]."""
        return (self.step_scale * (level.noise / self.diffusion.least) ** self.growth).sqrt() * level.sigma

    def _tied(self, noisy: Tensor, level: Level, condition: Tree, temperature: float = 1.0) -> Tree:
        """The condition of `Recovery`. A temperature T gives E / T, with the same drift per step."""
        precision = torch.where(level.last, 0.0, level.sigma**-2) / temperature
        return noisy, precision, self._unit(level) * temperature**0.5, given(level.time, condition)

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        x = torch.randn((n, *self.event.fixed), generator=rng, device=rng.device)
        for t in reversed(range(self.diffusion.steps)):
            level = self.diffusion.level(torch.full((n,), t, device=x.device))
            tied = self._tied(x, level, condition, self.noise_at_test**2)
            start = self._start(x, level, condition, rng)._replace(condition=tied)
            y = self.phases["negative"].sample(n, rng, tied, start)
            x = y / per_row(torch.where(level.last, 1.0, level.a), y)
        if not self.denoise:
            return x
        # (x_0 + noise^2 d log p(x_0)) / kept, log p(x_0) = -E(a x_0) / b^2
        scale, unit = per_row(torch.where(level.last, 1.0, level.a), x), self._unit(level)
        _, slope = target_of(self.players["energy"], x, given(level.time, condition)).value_and_grad(scale * x)
        return (x - per_row((level.noise / unit).square(), x) * scale * slope) / per_row(level.kept, x)
