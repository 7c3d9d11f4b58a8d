"""Annealed importance sampling: log Z between a stochastic lower bound and a stochastic upper bound.

The path from a normalised density p_0 with direct sampling to an energy is geometric:

    E_b = (1 - b) E_0 + b E,   E_0 = -log p_0,   0 = b_0 <= b_1 <= ... <= b_K = 1.

Forward (Neal, Statistics and Computing 2001): x_0 ~ p_0, then x_k ~ T_k(. | x_k-1) for a kernel T_k that leaves
exp(-E_b_k) invariant, and

    log w = sum_k (b_k - b_k-1) (E_0 - E)(x_k-1),   mean of w over chains -> Z, without bias.

By Jensen's inequality the log of that mean is too low on average. The same procedure from an exact draw of the energy
back to p_0 estimates 1 / Z without bias, so its -log is too high on average (Grosse, Ghahramani and Adams, 2015:
bidirectional Monte Carlo). By Markov's inequality, each estimate is on the wrong side of log Z by more than a nats
with probability below exp(-a).

All of this holds for any ``betas`` and step sizes if the kernels leave their energies invariant, are reversible, and
do not depend on the chains. MALA, HMC, NUTS and Gibbs with gradients meet these conditions; `tune` finds step sizes in
a separate run. Parallel tempering does not, since all its replicas would start at the same point at every b. Langevin
without correction is accepted, but then neither side is a bound: both have the discretisation error of its step size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from ebmsuite.density import Density
from ebmsuite.energy import Energy, warn_if_rounded
from ebmsuite.progress import progress
from ebmsuite.sampling.kernel import Sampler
from ebmsuite.sampling.path import GeometricPath
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["Estimate", "LogLikelihood", "Sandwich", "forward", "log_likelihood", "reverse", "sigmoidal"]


class Estimate(NamedTuple):
    """log Z, estimated in one direction; 0-d and float64."""

    log_z: Tensor
    """log mean w forward, -log mean w in reverse."""
    low: Tensor
    high: Tensor
    """log_z -+ 2 standard errors by the delta method, sd(w) / (mean(w) sqrt(B)). Too narrow if ess is small."""
    log_weights: Tensor
    """[B]."""
    ess: Tensor
    """(sum w)^2 / sum w^2, from 1 to B."""


class Sandwich(NamedTuple):
    """log Z between two bounds."""

    lower: Estimate
    """Forward."""
    upper: Estimate
    """Reverse."""

    @property
    def gap(self) -> Tensor:
        """upper - lower in nats, on average at least the error of each bound. Noise can make a small gap negative."""
        return self.upper.log_z - self.lower.log_z

    @property
    def low(self) -> Tensor:
        """The lower end of both intervals."""
        return torch.minimum(self.lower.low, self.upper.low)

    @property
    def high(self) -> Tensor:
        """The upper end of both intervals."""
        return torch.maximum(self.lower.high, self.upper.high)


class LogLikelihood(NamedTuple):
    """Mean of log p over a test set, in nats per event; 0-d and float64."""

    value: Tensor
    """With log Z in the middle of the sandwich."""
    low: Tensor
    high: Tensor
    """With log Z at the ends of the sandwich."""
    error: Tensor
    """Standard error of the mean over the test set."""


def sigmoidal(steps: int, delta: float = 4.0) -> list[float]:
    """b_k = s(delta (2 k / K - 1)) for k = 0, ..., K = ``steps``, rescaled to [0, 1]; s is the logistic function.

    The values are dense at both ends, where E_b changes fastest (Grosse, Ghahramani and Adams, 2015, with delta = 4).
    """
    s = [1 / (1 + math.exp(-delta * (2 * k / steps - 1))) for k in range(steps + 1)]
    return [(v - s[0]) / (s[-1] - s[0]) for v in s]


@torch.no_grad()
def forward(
    energy: Energy,
    base: Density,
    kernel: Sampler | Sequence[Sampler],
    n: int,
    betas: Sequence[float],
    rng: torch.Generator,
    condition: Tree = None,
    dtype: torch.dtype | None = None,
) -> Estimate:
    """The lower bound of log Z, from ``n`` draws of ``base``. It is too low on average if the path is too fast.

    ``kernel`` is one kernel, or one for each of betas[1:-1]. The cost is one evaluation of the energy and its gradient,
    and one kernel step for each of betas[1:-1]. ``condition`` has n rows and goes to the energy and to the base.
    ``dtype`` is the type of the chains (default: that of the draws of ``base``).
    """
    x = base.sample(n, rng, condition).to(dtype=dtype)
    path = GeometricPath(energy, base, x, condition)
    return _estimate(_anneal(path, x, *_checked(betas, kernel), rng), 1)


@torch.no_grad()
def reverse(
    energy: Energy,
    base: Density,
    kernel: Sampler | Sequence[Sampler],
    x: Tensor,
    betas: Sequence[float],
    rng: torch.Generator,
    condition: Tree = None,
) -> Estimate:
    """The upper bound of log Z, from independent exact draws ``x`` [B, *event] of the energy, on the path of `forward`.

    If the draws are only nearly exact, for example from a long run, the result is only nearly a bound.
    """
    path = GeometricPath(energy, base, x, condition)
    if not torch.isfinite(base.log_prob(x, condition)).all():
        raise ValueError("ais: a draw of the energy lies where the base has no density; take a wider base")
    betas, kernels = _checked(betas, kernel)
    log_weights = _anneal(path, x, betas[::-1], kernels[::-1], rng)
    return _estimate(log_weights, -1)


def log_likelihood(
    energy: Energy, x: Tensor, sandwich: Sandwich, condition: Tree = None, batch: int = 250
) -> LogLikelihood:
    """Mean of -E(x) - log Z over a test set [N, *event], evaluated in batches of ``batch``.

    ``condition`` has N rows; log Z must be the same for all of them.
    """
    with torch.no_grad():
        e = torch.cat([energy(part.x, part.condition).double() for part in Batch(x, condition).parts(batch)])
    mean, middle = -e.mean(), (sandwich.lower.log_z + sandwich.upper.log_z) / 2
    return LogLikelihood(mean - middle, mean - sandwich.high, mean - sandwich.low, e.std() / math.sqrt(len(e)))


def _checked(betas: Sequence[float], kernel: Sampler | Sequence[Sampler]) -> tuple[list[float], list[Sampler]]:
    betas = [float(b) for b in betas]
    if len(betas) < 2 or betas[0] != 0 or betas[-1] != 1 or any(a > b for a, b in pairwise(betas)):
        raise ValueError("ais: betas must rise from 0 to 1")
    between = len(betas) - 2
    kernels = list(kernel) if isinstance(kernel, Sequence) else [kernel] * between
    if len(kernels) != between:
        raise ValueError(
            f"ais: {len(betas)} betas need {between} kernels, one for each beta between the ends; got {len(kernels)}"
        )
    return betas, kernels


def _anneal(path: GeometricPath, x: Tensor, betas: list[float], kernels: list[Sampler], rng: torch.Generator) -> Tensor:
    """log w [B] along betas, which rise or fall."""
    here = path.point(x)
    warn_if_rounded(here.energy, "annealed importance sampling")
    log_w = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    with progress("annealing", len(betas) - 1) as advance:
        for k, (b, to) in enumerate(pairwise(betas)):
            log_w += (to - b) * (here.reference - here.energy).double()
            if k < len(kernels):
                here, _ = path.step(kernels[k], to, here, rng)
            advance(1)
    return log_w


def _estimate(log_w: Tensor, sign: int) -> Estimate:
    n = len(log_w)
    if n < 2 or log_w.isnan().any():
        raise ValueError(
            f"ais: at least 2 chains are needed, got {n}"
            if n < 2
            else "ais: a weight is NaN: the energy is NaN on the path"
        )
    log_sum = log_w.logsumexp(0)
    ess = (2 * log_sum - (2 * log_w).logsumexp(0)).exp()
    log_z = sign * (log_sum - math.log(n))
    error = ((n / ess - 1) / (n - 1)).clamp(min=0).sqrt()
    return Estimate(log_z, log_z - 2 * error, log_z + 2 * error, log_w, ess)
