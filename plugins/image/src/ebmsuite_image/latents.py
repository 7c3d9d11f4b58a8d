"""Pictures and the latent vectors that a model has for them: inference, refinement, decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ebmsuite.density import Encoder
from ebmsuite.errors import UserError
from ebmsuite.generator import NormalGenerator
from ebmsuite.sampling import Descent, Langevin, Phase, run, target_of
from ebmsuite.space import Batch

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["decoded", "generator_of", "has_latent", "infer", "pictured", "reconstruct"]

CHAINS = 250
"""Posterior chains run at once: it bounds the memory, which is that of as many pictures."""


def has_latent(model: Model) -> bool:
    """Whether this is a model of latent vectors, of which a generator makes the pictures.

    One with an energy of pictures is not, even where a generator proposes them (cooperative learning).
    """
    if "generator" not in model.players:
        return False
    return "energy" not in model.players or bool(model.recipe.players["energy"]["of"] == "latent")


def generator_of(model: Model) -> NormalGenerator:
    """The model's generator g, or `UserError` if it has none whose mean is a picture."""
    generator = model.players.get("generator")
    if not isinstance(generator, NormalGenerator):
        raise UserError(f"{model.recipe.recipe}: this asks for a model with a generator g(z) of pictures")
    return generator


@torch.no_grad()
def infer(model: Model, batch: Batch, rng: torch.Generator, descent: int = 0, noise: bool = True) -> Tensor:
    """z [B, *latent] for the pictures of ``batch``, as the method infers it, then ``descent`` noise-free steps.

    These are the posterior's own Langevin steps without the noise (towards a mode of p(z | x)). Without ``noise`` they
    begin at the mean of the encoder's q(z | x) in the place of the end of a chain.

    Errors: `UserError` when the model has no latent vector, no encoder, no posterior chains of this kind to go on with,
    or the chains run away.
    """
    generator_of(model)
    parts = []
    for part in batch.to(model.device).parts(CHAINS):
        z = model.trainer.infer(part, rng) if noise else _mean(model, part)
        if descent:
            z = _descend(model.phase("posterior"), part, z, descent, rng)
        parts.append(z)
    z = torch.cat(parts)
    if not torch.isfinite(z).all():
        raise UserError("inference: the posterior chains end at values that are not finite; are their steps too long?")
    return z


def reconstruct(model: Model, batch: Batch, rng: torch.Generator, descent: int = 0, noise: bool = True) -> Tensor:
    """g(z) [B, *event] with z from `infer`."""
    return decoded(model, infer(model, batch, rng, descent, noise), batch)


@torch.no_grad()
def decoded(model: Model, z: Tensor, batch: Batch | None = None) -> Tensor:
    """The mean g(z) [B, *event] of the pictures of z [B, *latent]; conditions, if any, are those of ``batch``."""
    generator = generator_of(model)
    condition = None if batch is None else batch.to(model.device).condition
    return torch.cat([generator(part.x, part.condition) for part in Batch(z, condition).parts(CHAINS)])


def pictured(model: Model, x: Tensor) -> Tensor:
    """Where chains of a model stand, as pictures: events as they are, latent vectors decoded."""
    return x if tuple(x.shape[1:]) == model.event.fixed else decoded(model, x)


def _mean(model: Model, batch: Batch) -> Tensor:
    encoder = model.players.get("encoder")
    if not isinstance(encoder, Encoder):
        raise UserError(f"{model.recipe.recipe}: without noise, inference begins at an encoder's mean; it has none")
    return encoder.moments(batch.encoder_input)[0]


def _descend(phase: Phase, batch: Batch, z: Tensor, steps: int, rng: torch.Generator) -> Tensor:
    if not isinstance(phase.sampler, Langevin):
        raise UserError(
            f"descent: noise-free steps are those of Langevin chains, not of {type(phase.sampler).__name__}"
        )
    weight, _ = phase.sampler.weights()
    state, _ = run(Descent(weight), target_of(phase.energy, z, (batch.x, batch.condition)), z, steps, rng)
    end: Tensor = state.x
    return end
