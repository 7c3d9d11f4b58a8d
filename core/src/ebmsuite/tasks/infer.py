"""Inference of latent vectors, optionally with a noise-free start and end, and reconstruction of events."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmsuite.density import Encoder
from ebmsuite.errors import UserError
from ebmsuite.generator import NormalGenerator
from ebmsuite.model import Model
from ebmsuite.sampling import Descent, Langevin, run, target_of
from ebmsuite.space import Batch
from ebmsuite.tasks.validation import finite

__all__ = ["infer", "normal_generator", "reconstruct"]


def normal_generator(model: Model) -> NormalGenerator:
    """The model's generator g. `UserError` if the model has no generator whose mean g(z) is an event."""
    generator = model.players.get("generator")
    if not isinstance(generator, NormalGenerator):
        raise UserError(f"{model.recipe.recipe}: this needs a model with a generator whose mean g(z) is an event")
    return generator


@torch.no_grad()
def infer(model: Model, batch: Batch, rng: torch.Generator, descent: int = 0, noise: bool = True) -> Tensor:
    """Infer z [B, *latent] for the events of ``batch``, then take ``descent`` noise-free steps.

    The inference is that of the model's method. With ``noise=False``, z is the mean of the encoder's q(z | x) instead.
    The noise-free steps are Langevin steps of the phase "posterior" without their noise (towards a mode of p(z | x)).

    Errors: `UserError` when the model has no latent vector, when the settings need an encoder or Langevin chains of the
    posterior that the model lacks, or when chains diverge.
    """
    z = model.infer(batch, rng) if noise else _mean(model, batch)
    if not descent:
        return z
    whole = batch.to(model.device)
    size = model.rows_at_once(batch.x.shape[1:])
    parts = zip(whole.parts(size), torch.split(z, size), strict=True)
    return finite(torch.cat([_descend(model, part, start, descent, rng) for part, start in parts]), "descent")


def reconstruct(model: Model, batch: Batch, rng: torch.Generator, descent: int = 0, noise: bool = True) -> Tensor:
    """Reconstruct events as g(z) [B, *event] with z from `infer`. `UserError` as in `normal_generator` and `infer`."""
    normal_generator(model)
    return model.decode(infer(model, batch, rng, descent, noise), rng, batch.condition)


def _mean(model: Model, batch: Batch) -> Tensor:
    encoder = model.players.get("encoder")
    if not isinstance(encoder, Encoder):
        raise UserError(f"{model.recipe.recipe}: without noise, inference begins at an encoder's mean; it has none")
    parts = batch.to(model.device).parts(model.rows_at_once(batch.x.shape[1:]))
    return finite(torch.cat([encoder.moments(encoder.sees(part))[0] for part in parts]), "inference")


def _descend(model: Model, batch: Batch, z: Tensor, steps: int, rng: torch.Generator) -> Tensor:
    phase = model.phase("posterior")
    if not isinstance(phase.sampler, Langevin):
        raise UserError(
            f"descent: noise-free steps are those of Langevin chains, not of {type(phase.sampler).__name__}"
        )
    weight, _ = phase.sampler.weights()
    state, _ = run(Descent(weight), target_of(phase.energy, z, (batch.x, batch.condition)), z, steps, rng)
    end: Tensor = state.x
    return end
