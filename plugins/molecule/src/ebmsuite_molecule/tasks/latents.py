"""Functions shared by the tasks that use latent vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ebmsuite.errors import UserError
from ebmsuite.nets.sequences.decoders import SequenceGenerator
from ebmsuite.sampling import marginal
from ebmsuite.sampling.marginal import Marginal
from ebmsuite.space import Batch
from ebmsuite_molecule.codec import Strings
from ebmsuite_molecule.data.graphs import graphs

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["batch_of", "generator_of", "likeliest", "log_probability"]


def generator_of(model: Model) -> SequenceGenerator:
    """Return the decoder of a model with a latent vector. Raises `UserError` if there is none."""
    found = model.players.get("generator")
    if not isinstance(found, SequenceGenerator):
        raise UserError(
            f"{model.recipe.recipe} has no decoder from a latent vector (its players: {', '.join(model.players)})"
        )
    return found


def batch_of(model: Model, x: Tensor, codec: Strings) -> Batch:
    """Build a batch from rows of tokens [B, L], with the view that the model's encoder was trained on."""
    spec = next(iter(model.recipe.data.values()))
    view = graphs(codec.decode(x)) if spec.get("view") == "graph" else None
    return Batch(x, view=view).to(model.device)


def likeliest(model: Model, z: Tensor, codec: Strings) -> list[str]:
    """Decode latent vectors greedily: each token is the most likely one given those before it."""
    generator_of(model)  # raises if the model has no decoder
    return codec.decode(model.decode(z, model.generator(0), likeliest=True))  # this draws nothing from the generator


def log_probability(model: Model, x: Tensor, codec: Strings, rng: torch.Generator, draws: int) -> Marginal:
    """Estimate log p(x) of rows of tokens by importance sampling."""
    prior, posterior = model.phase("prior"), model.phase("posterior")
    return marginal.log_probability(prior, posterior, batch_of(model, x, codec), model.trainer.infer, rng, draws)
