"""Bounds on log Z of a model, and the log-likelihood of held-out data that follows."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ebmsuite.density import Gaussian
from ebmsuite.energy import Energy
from ebmsuite.sampling import HMC, run, target_of, warm_up
from ebmsuite.sampling.ais import LogLikelihood, Sandwich, forward, log_likelihood, reverse, sigmoidal
from ebmsuite.sampling.path import tune
from ebmsuite.space import Space

__all__ = ["Volume", "volume"]


class Volume(NamedTuple):
    """log Z of exp(-E) by forward and reverse annealed importance sampling, and the log-likelihood that follows."""

    sandwich: Sandwich
    likelihood: LogLikelihood
    base: str
    chains: int
    betas: int

    @property
    def closed(self) -> bool:
        """Whether the two bounds agree to within 0.1 nats."""
        return abs(float(self.sandwich.gap)) < 0.1


def volume(
    energy: Energy, event: Space, train: Tensor, test: Tensor, rng: torch.Generator, chains: int, betas: int
) -> Volume:
    """Anneal between an isotropic Gaussian, 1.5 times as wide as the data, and exp(-E).

    A separate run tunes the step sizes. The reverse chains start at states of HMC chains that started at training
    examples, so the upper bound is valid only if these chains have converged.
    """
    mean, sd = float(train.mean()), 1.5 * float((train - train.mean()).square().mean().sqrt())
    base = Gaussian(event, mean, sd)
    path = sigmoidal(betas)
    kernels = tune(energy, base, HMC(0.2, leapfrog=5), min(chains, 200), path, rng)
    lower = forward(energy, base, kernels, chains, path, rng)
    x = train[torch.randint(len(train), (chains,), generator=rng, device=rng.device)]
    target = target_of(energy, x)
    with torch.no_grad():
        sampler, x = warm_up(HMC(0.1, leapfrog=10), target, x, 300, rng)
        x = run(sampler, target, x, 300, rng)[0].x
    sandwich = Sandwich(lower, reverse(energy, base, kernels, x, path, rng))
    return Volume(sandwich, log_likelihood(energy, test, sandwich), f"N({mean:.2g}, {sd:.2g}^2)", chains, betas)
