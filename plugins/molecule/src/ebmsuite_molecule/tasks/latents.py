"""What the tasks on latent vectors share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ebmsuite.density import Gaussian
from ebmsuite.errors import UserError
from ebmsuite.nets.sequences.decoders import SequenceGenerator
from ebmsuite.sampling import HMC, Langevin, run, target_of
from ebmsuite.sampling.ais import Estimate, forward, sigmoidal
from ebmsuite.sampling.importance import Integral, integral
from ebmsuite.sampling.path import tune
from ebmsuite.space import Batch, Space
from ebmsuite_molecule.codec import Strings
from ebmsuite_molecule.data.graphs import graphs

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["batch_of", "generator_of", "inferred", "likeliest", "log_prior_mass", "log_probability"]

ROWS = 256
"""Molecules inferred at once."""


def generator_of(model: Model) -> SequenceGenerator:
    """The decoder of a model with a latent vector, or `UserError`."""
    found = model.players.get("generator")
    if not isinstance(found, SequenceGenerator):
        raise UserError(
            f"{model.recipe.recipe} has no decoder from a latent vector (its players: {', '.join(model.players)})"
        )
    return found


def batch_of(model: Model, x: Tensor, codec: Strings) -> Batch:
    """Rows of tokens [B, L] as the model's encoder is used to see them."""
    spec = next(iter(model.recipe.data.values()))
    view = graphs(codec.decode(x)) if spec.get("view") == "graph" else None
    return Batch(x, view=view).to(model.device)


def inferred(model: Model, x: Tensor, codec: Strings, rng: torch.Generator) -> Tensor:
    """One latent vector for every row of tokens, [B, *latent]."""
    return torch.cat([model.trainer.infer(part, rng) for part in batch_of(model, x, codec).parts(ROWS)])


def likeliest(model: Model, z: Tensor, codec: Strings) -> list[str]:
    """The SMILES that the decoder finds likeliest, token by token."""
    generator = generator_of(model)
    return [s for part in torch.split(z, ROWS) for s in codec.decode(generator.likeliest(part))]


def log_prior_mass(model: Model, rng: torch.Generator, chains: int = 200, betas: int = 300) -> Estimate:
    """log Z of the prior energy by annealed importance sampling from a normal."""
    energy, path = model.players["energy"], sigmoidal(betas)
    z = model.phase("prior").sample(chains, rng)
    base = Gaussian(Space(tuple(z.shape[1:])), 0.0, 1.5 * float(z.square().mean().sqrt()))
    kernels = tune(energy, base, HMC(0.2, leapfrog=5), min(chains, 100), path, rng)
    return forward(energy, base, kernels, chains, path, rng)


def log_probability(
    model: Model, x: Tensor, codec: Strings, rng: torch.Generator, draws: int, chains: int = 32
) -> tuple[Integral, Estimate]:
    """log int p(x | z) exp(-E(z)) dz [B], and log Z: their difference is log p(x).

    The normal of each row has the moments of ``chains`` chains of its posterior, at temperature 1.
    """
    many = x.repeat_interleave(chains, 0)
    z, phase = inferred(model, many, codec, rng), model.phase("posterior")
    if isinstance(phase.sampler, Langevin):  # learning may run them colder
        weight, _ = phase.sampler.weights()
        exact = Langevin(step_size=math.sqrt(2 * weight) / 2)
        ends = []
        for part in Batch(z, (many, None)).parts(ROWS):
            ends.append(run(exact, target_of(phase.energy, part.x, part.condition), part.x, 20, rng)[0].x)
        z = torch.cat(ends)
    z = z.view(len(x), chains, *z.shape[1:])
    mean, sd = z.mean(1), 1.1 * z.std(1) + 1e-3
    return integral(phase.energy, mean, sd, draws, rng, (x, None)), log_prior_mass(model, rng)
