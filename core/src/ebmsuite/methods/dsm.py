"""Denoising score matching, at one noise level or several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ebmsuite.density import Fitted, event_sum
from ebmsuite.energy import NoiseConditional
from ebmsuite.errors import RecipeError, UserError
from ebmsuite.learning.trainer import Draws, Logs, Role, Trainer
from ebmsuite.memory import chunk_size
from ebmsuite.sampling import Start
from ebmsuite.sampling.kernel import normal_like, per_row, target_of
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["DenoisingScoreMatching"]


@dataclass
class DenoisingScoreMatching(Trainer):
    """The gradient of the energy learns the direction from clean to noisy data (Vincent, Neural Comp. 2011, eq. 9).

        min E 1/2 (sigma_0 / sigma_i)^2 |dE/dx~ - (x~ - x) / sigma_0^2|^2,    x~ = x + sigma_i n,  n ~ N(0, I)

    No chain runs in learning. With one level, sigma_i = sigma_0 = ``sigma``, the optimum is exactly the density of the
    data convolved with N(0, sigma^2 I). With ``low`` and ``high``, a batch of B examples has B noise levels between
    them, one per example, with ``spacing`` "linear" or "geometric". The energy then does not depend on the level:
    multiscale matching (Li, Chen, Sommer, 2019). This is meant for high dimension, where the noisy data of each level
    lie in a separate shell. Published: sigma 0.1, levels linear from 0.05 to 1.2 on CIFAR-10 in [0, 1], geometric from
    0.1 to 3 on Fashion-MNIST.

    A noise-conditional energy (`NoiseConditional`: Song & Ermon, NeurIPS 2019) defines the levels, geometric between
    its ``low`` and ``high``; leave out ``sigma``, ``low`` and ``high`` here:

        min E 1/2 |sigma_i dE/dx~ - n|^2,    E of x~ and sigma_i

    Its optimum is, at each level, the density of the data convolved with N(0, sigma_i^2 I). Samples are drawn at the
    lowest level, or by annealing: ``anneal`` levels from the highest to the lowest, with the steps of ``negative`` at
    each level and a step size proportional to sigma_i (Song & Ermon, algorithm 1). Annealing gives the modes their
    proportions at high noise levels, where chains still cross between modes.

    ``spacing`` "random" draws the levels anew in every step, one in each of B equal intervals of log sigma, so that a
    batch of few examples, such as clips, meets all levels in the course of learning.

    Samples are the ends of ``negative``. A player ``start``, a density that is fitted to the first batch
    (`ebmsuite.density.Fitted`), gives the coarse structure: the chains of ``negative`` then start at its samples plus
    the noise that the recipe's chains give, which should have the standard deviation of the highest level, and the
    energy needs no levels above the scale at which the samples of ``start`` are wrong (Meng et al., ICLR 2022, start
    from pictures that users draw).

    With ``denoise``, one more step, x - sigma^2 dE/dx, removes the noise and gives the expected clean event; sigma is
    sigma_0 or the lowest level. Learning takes second derivatives of the energy, so activations must be smooth.
    """

    sigma: float | None = None
    low: float | None = None
    high: float | None = None
    spacing: Literal["linear", "geometric", "random"] = "linear"
    denoise: bool = False
    anneal: int = 1

    roles: ClassVar[Mapping[str, Role]] = {
        "energy": Role("energy", noise_conditional=True),
        "start": Role("density", optional=True, fitted=True),
    }
    draws: ClassVar[Mapping[str, Draws]] = {"negative": Draws("event")}

    def __post_init__(self) -> None:
        energy = self.players["energy"]
        self.conditional = energy.noise_conditional
        if isinstance(energy, NoiseConditional):
            for name, value in (("sigma", self.sigma), ("low", self.low), ("high", self.high)):
                if value is not None:
                    raise RecipeError(
                        f"trainer.{name}: leave it out; the noise-conditional energy defines the noise levels"
                    )
            self.least = energy.low
        elif self.sigma is None:
            raise RecipeError("trainer.sigma: give the noise level, or use a noise-conditional energy like mlp-levels")
        else:
            self.least = self.sigma
        if self.anneal < 1 or (self.anneal > 1 and not self.conditional):
            raise RecipeError(
                f"trainer.anneal: the number of noise levels must be at least 1, and above 1 only with a "
                f"noise-conditional energy; got {self.anneal}"
            )
        if "start" in self.players and not isinstance(self.players["start"], Fitted):
            raise RecipeError("players.start: this density cannot be fitted to data directly (it has no method fit)")
        if self.least <= 0:
            raise RecipeError(f"trainer.sigma: the noise level must be above 0, got {self.least:g}")
        if (self.low is None) != (self.high is None):
            raise RecipeError("trainer: low and high are the ends of the noise levels; give both or none")
        if self.low is not None and self.high is not None and not 0 < self.low <= self.high:
            raise RecipeError(f"trainer.low: must be above 0 and at most high, got {self.low:g} and {self.high:g}")

    def levels(self, x: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """sigma_i per row, [B], drawn if the spacing is random and ``rng`` is given."""
        of = self.players["energy"] if self.conditional else self
        low: float | None = of.low
        high: float | None = of.high
        if low is None or high is None:
            return x.new_full((len(x),), self.least)
        if self.spacing == "linear" and not self.conditional:
            return torch.linspace(low, high, len(x), dtype=x.dtype, device=x.device)
        place = torch.linspace(0, 1, len(x), dtype=x.dtype, device=x.device)
        if self.spacing == "random" and rng is not None:
            drawn = torch.rand(len(x), generator=rng, dtype=x.dtype, device=x.device)
            place = (torch.arange(len(x), dtype=x.dtype, device=x.device) + drawn) / len(x)
        levels: Tensor = low * (high / low) ** place
        return levels

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        if t == 0 and "start" in self.players:
            self.players["start"].fit(batches["data"].x)
        loss, logs = self.loss(batches["data"], rng)
        return {**logs, **self.players.update({"energy": loss})}

    def loss(self, data: Batch, rng: torch.Generator) -> tuple[Tensor, Logs]:
        """The objective on one batch, with its logs."""
        energy = self.players["energy"]
        levels = self.levels(data.x, rng)
        added = per_row(levels, data.x) * normal_like(data.x, rng)
        noisy = data.x + added
        variance: Tensor | float
        if self.conditional:
            condition, variance, weight = levels, per_row(levels, noisy).square(), levels.square()
        else:
            condition, variance, weight = data.condition, self.least**2, (self.least / levels).square()
        _, slope = target_of(energy, noisy, condition, graph=True).value_and_grad(noisy)
        misses = event_sum((slope - added / variance).square())
        return (weight * misses).mean() / 2, {"slope": slope.detach().square().mean().sqrt()}

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        if self.conditional and condition is not None:
            raise UserError(
                "samples of a noise-conditional energy are drawn at its lowest noise level and take no condition"
            )
        phase = self.phases["negative"]
        levels: list[Tree] = [condition]
        if self.anneal > 1:
            levels = list(self.levels(torch.empty(self.anneal, device=rng.device)).flip(0)[:, None].expand(-1, n))
        x: Tensor
        if "start" in self.players:
            x = self.players["start"].sample(n, rng, condition) + phase.chains.start(n, rng).x
        else:
            x = phase.sample(n, rng, levels.pop(0))
        for level in levels:
            x = phase.refine(Start(x, level), rng, batch=chunk_size(x.shape[1:], phase.energy))
        if not self.denoise:
            return x
        _, slope = target_of(self.players["energy"], x, condition).value_and_grad(x)
        return x - self.least**2 * slope
