"""log Z of a model, and so the log-likelihood of held-out data."""

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
    """log Z of exp(-E) by annealed importance sampling, forward and in reverse, and what follows from it."""

    sandwich: Sandwich
    likelihood: LogLikelihood
    base: str
    chains: int
    betas: int

    @property
    def closed(self) -> bool:
        """Whether the two bounds agree to a tenth of a nat."""
        return abs(float(self.sandwich.gap)) < 0.1


def volume(
    energy: Energy, event: Space, train: Tensor, test: Tensor, rng: torch.Generator, chains: int, betas: int
) -> Volume:
    """Anneal between an isotropic Gaussian of one and a half times the width of the data and exp(-E).

    Step sizes are found in a run of their own. The chains of the reverse direction start at draws of HMC that began
    at training examples: the upper bound is as good as these.
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
