"""Estimate log p(x) of a generator with a latent energy by importance sampling.

    log p(x) = log int p(x | z) exp(-E(z)) dz - log Z,   Z = int exp(-E(z)) dz

Importance sampling estimates the first integral for each row, with a normal proposal that has the moments of posterior
chains (`ebmsuite.sampling.importance`). Annealed importance sampling estimates log Z (`ebmsuite.sampling.ais`). Both
estimates of a logarithm are too low on average, so the error of log p(x) can have either sign. The effective sample
sizes indicate how large it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from ebmsuite.density import Density, Gaussian
from ebmsuite.energy import Energy
from ebmsuite.errors import UserError
from ebmsuite.sampling.ais import Estimate, forward, sigmoidal
from ebmsuite.sampling.hmc import HMC
from ebmsuite.sampling.importance import Integral, integral
from ebmsuite.sampling.kernel import run, target_of
from ebmsuite.sampling.langevin import Langevin
from ebmsuite.sampling.path import tune
from ebmsuite.sampling.phase import Phase, in_mode
from ebmsuite.sampling.warm_up import warm_up
from ebmsuite.space import Batch, Space
from ebmsuite.tree import Tree

__all__ = ["Infer", "Marginal", "log_joint", "log_prior_mass", "log_probability", "posterior_draws"]

Infer: TypeAlias = Callable[[Batch, torch.Generator], Tensor]
"""Function that draws one latent vector z ~ p(z | x) per row of a batch, [B, *latent]: `Trainer.infer`."""


class Marginal(NamedTuple):
    """Estimates of the two parts of log p(x)."""

    joint: Integral
    """log int p(x | z) exp(-E(z)) dz per row, with the effective sample size."""
    prior: Estimate
    """log Z of the latent energy."""

    @property
    def log_p(self) -> Tensor:
        """log p(x), [B], float64, in nats."""
        return self.joint.log_z - self.prior.log_z


@torch.no_grad()
def log_probability(
    prior: Phase | Density | Estimate,
    posterior: Phase | Energy,
    batch: Batch,
    infer: Infer,
    rng: torch.Generator,
    draws: int = 256,
    chains: int = 32,
    betas: int = 300,
) -> Marginal:
    """Estimate log p(x) of every row of ``batch`` with ``draws`` importance samples per row.

    ``prior`` is the phase that samples from the latent energy, or a latent density, or the result of `log_prior_mass`
    computed once for many batches. ``posterior`` is the phase whose energy is a `Posterior`; ``chains`` chains of it
    per row determine the importance proposal. For a model whose ``infer`` needs no chains it is the `Posterior` itself,
    and its chains start from draws of ``infer``. ``betas`` is passed to `log_prior_mass`. Raises `UserError` if the
    batch has a condition and ``prior`` is a phase, because log Z would depend on the row.
    """
    if batch.condition is not None and isinstance(prior, Phase):
        raise UserError("log p(x) with a latent energy is for events without a condition: log Z depends on it")
    z = posterior_draws(posterior, batch, infer, rng, chains)
    energy = posterior.energy if isinstance(posterior, Phase) else posterior
    joint = log_joint(energy, z, _given(batch), draws, rng)
    return Marginal(joint, prior if isinstance(prior, Estimate) else log_prior_mass(prior, rng, betas=betas))


@torch.no_grad()
def posterior_draws(
    posterior: Phase | Energy, batch: Batch, infer: Infer, rng: torch.Generator, chains: int = 32, rows: int = 256
) -> Tensor:
    """Draw ``chains`` samples of z given each row of ``batch``, [B, chains, *latent], ``rows`` chains at a time.

    In training, Langevin chains can have less noise than at temperature 1. Therefore, this function continues them for
    20 steps at temperature 1 with half their step size. Draws of a model without chains, such as those of an encoder,
    can be far from p(z | x): a KL weight of 0.1 makes them much too narrow, which loses nats of log p(x) without a
    trace in the effective sample size. `HMC` continues them for 6 steps of adapted size.
    """
    many = batch.repeat_interleave(chains)
    z = torch.cat([infer(part, rng) for part in many.parts(rows)])
    if isinstance(posterior, Phase):
        if not isinstance(posterior.sampler, Langevin):
            return z.view(len(batch), chains, *z.shape[1:])
        energy, (weight, _) = posterior.energy, posterior.sampler.weights()
        exact = Langevin(step_size=math.sqrt(2 * weight) / 2)
    else:
        energy, exact = posterior, None
    ends = []
    with in_mode(energy, train=False):
        for part in Batch(z, _given(many)).parts(rows):
            target = target_of(energy, part.x, part.condition)
            if exact is None:
                ends.append(warm_up(HMC(0.2, leapfrog=4), target, part.x, 6, rng)[1])
            else:
                ends.append(run(exact, target, part.x, 20, rng)[0].x)
    return torch.cat(ends).view(len(batch), chains, *z.shape[1:])


@torch.no_grad()
def log_joint(energy: Energy, z: Tensor, condition: Tree, draws: int, rng: torch.Generator) -> Integral:
    """Estimate log int exp(-E(z, condition)) dz per row with ``draws`` importance samples.

    The proposal is a normal with the moments of ``z`` [B, chains, *latent]. If ``energy`` is a `Posterior` and
    ``condition`` its condition, the result is log int p(x | z) exp(-E(z)) dz. Raises `UserError`, which names the first
    row whose chains diverged.
    """
    if z.shape[1] < 2 or draws < 2:
        raise UserError(f"log p(x): at least 2 chains and 2 draws per row, got {z.shape[1]} and {draws}")
    mean, sd = z.mean(1), 1.1 * z.std(1) + 1e-3
    lost = ~(torch.isfinite(mean) & torch.isfinite(sd)).flatten(1).all(1)
    if lost.any():
        raise UserError(
            f"log p(x): the posterior chains of row {int(lost.nonzero()[0]) + 1} of {len(z)} diverged (a latent vector "
            "is not finite); use a smaller step size for the posterior phase"
        )
    with in_mode(energy, train=False):
        return integral(energy, mean, sd, draws, rng, condition)


@torch.no_grad()
def log_prior_mass(prior: Phase | Density, rng: torch.Generator, chains: int = 200, betas: int = 300) -> Estimate:
    """Estimate log Z = log int exp(-E(z)) dz of the energy of a phase, or compute the exact constant of a density.

    The estimate uses annealed importance sampling with ``chains`` chains at ``betas`` temperatures. The base is a
    normal whose sd is 1.5 times that of samples.
    """
    if isinstance(prior, Density):  # a density is its own base distribution
        return forward(prior, prior, [], chains, [0.0, 1.0], rng)
    path = sigmoidal(betas)
    z = prior.sample(chains, rng)
    base = Gaussian(Space(tuple(z.shape[1:])), 0.0, 1.5 * float(z.square().mean().sqrt()))
    with in_mode(prior.energy, train=False):
        kernels = tune(prior.energy, base, HMC(0.2, leapfrog=5), min(chains, 100), path, rng)
        return forward(prior.energy, base, kernels, chains, path, rng)


def _given(batch: Batch) -> Tree:
    """Return the condition of a `Posterior` for these examples."""
    given = (batch.x, batch.condition)
    return given if batch.known is None else (*given, batch.known)
