"""What the tasks on latent vectors share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ebmsuite.errors import UserError
from ebmsuite.sampling import Langevin, Phase
from ebmsuite.sampling.importance import Integral, integral
from ebmsuite.space import Batch
from ebmsuite_molecule.codec import Strings
from ebmsuite_molecule.data.graphs import graphs
from ebmsuite_molecule.nets.decoders import SequenceGenerator

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
    parts = [model.trainer.infer(batch_of(model, x[i : i + ROWS], codec), rng) for i in range(0, len(x), ROWS)]
    return torch.cat(parts)


def likeliest(model: Model, z: Tensor, codec: Strings) -> list[str]:
    """The SMILES that the decoder finds likeliest, token by token."""
    generator = generator_of(model)
    return [s for i in range(0, len(z), ROWS) for s in codec.decode(generator.likeliest(z[i : i + ROWS]))]


def log_prior_mass(model: Model, rng: torch.Generator, n: int = 4096) -> Integral:
    """log Z of the prior energy, [1], by a normal of the moments of its own samples."""
    prior = model.phase("prior")
    z = prior.sample(n, rng)
    mean, sd = z.mean(0, keepdim=True), _wider(prior) * z.std(0, keepdim=True)
    return integral(model.players["energy"], mean, sd, n, rng)


def log_probability(
    model: Model, x: Tensor, codec: Strings, rng: torch.Generator, draws: int, chains: int = 16
) -> tuple[Integral, Integral]:
    """log int p(x | z) exp(-E(z)) dz [B], and log Z [1]: their difference is log p(x).

    The normal of each row has the moments of ``chains`` chains of its posterior.
    """
    generator_of(model)
    many = x.repeat_interleave(chains, 0)
    z = inferred(model, many, codec, rng).view(len(x), chains, -1)
    posterior = model.phase("posterior")
    mean, sd = z.mean(1), _wider(posterior) * z.std(1) + 1e-3
    shape = (-1, *model.players["generator"].latent.event.fixed)
    return (
        integral(posterior.energy, mean.view(shape), sd.view(shape), draws, rng, (x, None)),
        log_prior_mass(model, rng),
    )


def _wider(phase: Phase) -> float:
    """What a proposal's deviations are widened by: a fifth, and to the temperature 1 where chains ran at another."""
    temperature = phase.sampler.implied_temperature() if isinstance(phase.sampler, Langevin) else None
    return 1.2 / math.sqrt(temperature or 1.0)
