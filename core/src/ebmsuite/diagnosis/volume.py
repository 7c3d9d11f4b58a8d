"""Bounds on log Z of a model, and the log-likelihood of held-out data that follows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ebmsuite.density import Gaussian
from ebmsuite.energy import Energy
from ebmsuite.progress import part
from ebmsuite.sampling import HMC, run, target_of, warm_up
from ebmsuite.sampling.ais import LogLikelihood, Sandwich, forward, log_likelihood, reverse, sigmoidal
from ebmsuite.sampling.path import GeometricPath, tune
from ebmsuite.space import Space

__all__ = ["Volume", "seconds", "timed", "volume"]

TUNED, LEAPFROG, WARM_UP = 200, (5, 10), 300
"""Chains that tune step sizes; leapfrog steps per HMC step on the path and at its end; HMC steps at its end."""


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


def seconds(energy: Energy, event: Space, train: Tensor, chains: int, betas: int) -> tuple[float, float, float]:
    """The approximate times, in seconds, that `volume` needs to tune, for each run along the path, and for its end."""
    on_path = LEAPFROG[0] * (betas - 2)

    def gradient(n: int) -> float:
        x = train[torch.arange(n, device=train.device) % len(train)]
        path = GeometricPath(energy, _base(event, train), x)
        return timed(lambda: path.point(x))

    some, all_ = gradient(min(chains, TUNED)), gradient(chains)
    return 2 * on_path * some, on_path * all_, 2 * WARM_UP * LEAPFROG[1] * all_


def volume(
    energy: Energy,
    event: Space,
    train: Tensor,
    test: Tensor,
    rng: torch.Generator,
    chains: int,
    betas: int,
    times: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Volume:
    """Anneal between an isotropic Gaussian, 1.5 times as wide as the data, and exp(-E).

    A separate run tunes the step sizes. The reverse chains start at states of HMC chains that started at training
    examples, so the upper bound is valid only if these chains have converged. ``times`` (see `seconds`) are its
    parts of the enclosing `progress` job.
    """
    base, (to_tune, along, at_end) = _base(event, train), times
    path = sigmoidal(betas)
    with part(to_tune):
        kernels = tune(energy, base, HMC(0.2, leapfrog=LEAPFROG[0]), min(chains, TUNED), path, rng)
    with part(along):
        lower = forward(energy, base, kernels, chains, path, rng)
    x = train[torch.randint(len(train), (chains,), generator=rng, device=rng.device)]
    target = target_of(energy, x)
    with torch.no_grad():
        with part(at_end / 2):
            sampler, x = warm_up(HMC(0.1, leapfrog=LEAPFROG[1]), target, x, WARM_UP, rng)
        with part(at_end / 2):
            x = run(sampler, target, x, WARM_UP, rng)[0].x
    with part(along):
        sandwich = Sandwich(lower, reverse(energy, base, kernels, x, path, rng))
    name = f"N({base.mean:.2g}, {base.sd:.2g}^2)"
    return Volume(sandwich, log_likelihood(energy, test, sandwich), name, chains, betas)


def _base(event: Space, train: Tensor) -> Gaussian:
    return Gaussian(event, float(train.mean()), 1.5 * float((train - train.mean()).square().mean().sqrt()))


def timed(work: Callable[[], object], least: float = 0.3) -> float:
    """Mean time of ``work`` in seconds, over as many calls as take ``least`` seconds, after a first one."""
    work()
    began, calls = time.perf_counter(), 0
    while calls == 0 or time.perf_counter() - began < least:
        work()
        calls += 1
    return (time.perf_counter() - began) / calls
