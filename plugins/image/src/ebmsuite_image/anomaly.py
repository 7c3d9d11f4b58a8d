"""How far pictures are from what a model has learned: the decision functions of anomaly detection."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from ebmsuite.density import event_sum
from ebmsuite.energy import Energy, JointEnergy, NoiseConditional
from ebmsuite.errors import UserError
from ebmsuite.space import Batch
from ebmsuite_image.latents import CHAINS, decoded, generator_of, has_latent, infer

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["Decision", "Levels", "decide", "levels_of", "usual", "weight_of"]

Decision: TypeAlias = Literal["posterior", "reconstruction", "smoothed", "energy", "ratio"]
"""What is compared: -log p(x, z) up to a constant, |g(z) - x|^2 alone, smoothed or not, the energy alone, or less
that of noisier data."""

Levels: TypeAlias = tuple[float, float] | None
"""The noise of the two sides of "ratio", less and more."""

SMOOTH = 3
"""Pixels each way that "smoothed" averages over."""


@torch.no_grad()
def decide(
    model: Model,
    batch: Batch,
    rng: torch.Generator,
    decision: Decision,
    weight: float | None = None,
    descent: int = 0,
    noise: bool = True,
    levels: Levels = None,
) -> dict[str, Tensor]:
    """``score`` [B] of every picture, higher for what is more unlike the training data, and its terms [B].

    "posterior" is w |g(z) - x|^2 + E(z), the unnormalised negative log-posterior at an inferred z (Pang et al.,
    NeurIPS 2020, sec. 4.4): w is ``weight``, or 1 / 2 sd^2 of the generator when None, E is the energy on the latent
    vector, with its reference, or the negative log density of the generator's own one (a variational auto-encoder).
    "reconstruction" is |g(z) - x|^2; "smoothed" the same after g(z) - x is averaged over 3x3 pixels, so that a stroke
    beside its place counts less than one that is missing; "energy" is E alone, E(z) or that of a picture, E(x).
    Squares are summed over pixels in [-1, 1]. How z is inferred, ``descent`` and ``noise`` say (see
    `ebmsuite_image.latents.infer`).

    "ratio" is E(z, low) - E(z, high) of an energy that is told the noise (`NoiseConditional`); (low, high) are
    ``levels``, or the least and the most noise when None. It is the log-likelihood ratio of a background to the data,
    the background being perturbed data (Ren et al., NeurIPS 2019, there pictures, and two models): what the background
    finds unlikely as well, much ink for one, tells nothing. It is known up to a constant, as E is, and stands among the
    terms of other decisions.

    No score sees a label: of a joint energy E is the marginal.

    Errors: `UserError` when the model has not what the decision needs, a setting is for another decision or kind of
    model, or a score is not finite.
    """
    if weight is not None and decision != "posterior":
        raise UserError(f'weight is that of the squared error in the score "posterior"; the score is "{decision}"')
    if not has_latent(model) and (descent or not noise):
        raise UserError("descent and noise say how a latent vector is inferred; this model has none")
    batch, levels = _without_labels(model, batch).to(model.device), levels_of(model, levels)
    if decision == "ratio" and levels is None:
        raise UserError(
            f'{model.recipe.recipe}: the score "ratio" needs an energy that is told the noise, as mlp-levels'
        )
    if not has_latent(model):
        return _finite(_of_pictures(model, batch, decision, levels))
    z = infer(model, batch, rng, descent, noise)
    residual = decoded(model, z, batch) - batch.x
    prior: Any = model.players["energy"] if "energy" in model.players else generator_of(model).latent
    terms: dict[str, Tensor] = {
        "reconstruction": event_sum(residual.square()),
        "smoothed": event_sum(functional.avg_pool2d(residual, SMOOTH, 1, SMOOTH // 2).square()),
        **_of_energy(prior, z, levels),
    }
    posterior = weight_of(model, weight) * terms["reconstruction"] + terms["energy"]
    return _finite({"score": posterior if decision == "posterior" else terms[decision], **terms})


def weight_of(model: Model, weight: float | None) -> float:
    """The weight of the squared error in the score "posterior"."""
    if weight is not None:
        return weight
    return float(1 / (2 * generator_of(model).sd ** 2))


def usual(model: Model) -> Decision:
    """The decision that suits a model of which nothing else is said."""
    if levels_of(model, None) is not None:
        return "ratio"
    return "posterior" if has_latent(model) else "energy"


def levels_of(model: Model, levels: Levels) -> Levels:
    """The noise of the two sides of "ratio", or None where the energy is not told the noise."""
    energy = model.players.get("energy")
    if not isinstance(energy, NoiseConditional):
        if levels is not None:
            raise UserError(f"levels: {model.recipe.recipe} has no energy that is told the noise, as mlp-levels")
        return None
    low, high = levels or (energy.low, energy.high)
    if not energy.low <= low < high <= energy.high:
        known = f"from {energy.low:g} to {energy.high:g}"
        raise UserError(f"levels: less noise and more of what the energy was told, {known}; got {low:g} and {high:g}")
    return low, high


def _without_labels(model: Model, batch: Batch) -> Batch:
    if model.condition is not None and not isinstance(model.players.get("energy"), JointEnergy):
        raise UserError(f"{model.recipe.recipe}: this model is given labels, which a score of anomalies must not see")
    return replace(batch, condition=None)


def _of_pictures(model: Model, batch: Batch, decision: Decision, levels: Levels) -> dict[str, Tensor]:
    energy = model.players.get("energy")
    if decision not in ("energy", "ratio"):
        raise UserError(
            f'{model.recipe.recipe}: the score "{decision}" needs a generator; this model has an energy of pictures, '
            'ask for "energy"'
        )
    if not isinstance(energy, Energy):
        raise UserError(f"{model.recipe.recipe}: a score needs an energy, of pictures or of a latent vector")
    parts = [_of_energy(energy, part.x, levels) for part in batch.parts(CHAINS)]
    terms = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return {"score": terms[decision], **terms}


def _of_energy(energy: Any, x: Tensor, levels: Levels) -> dict[str, Tensor]:
    if levels is None:
        return {"energy": energy(x)}
    less, more = (energy(x, x.new_full((len(x),), level)) for level in levels)
    return {"energy": energy(x), "ratio": less - more}


def _finite(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    if not torch.isfinite(terms["score"]).all():
        raise UserError("anomaly: a score is not finite; has the model diverged?")
    return terms
