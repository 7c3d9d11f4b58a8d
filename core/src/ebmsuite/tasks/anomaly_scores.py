"""Decision functions of anomaly detection: scores of how unlike the training data an event is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from ebmsuite.density import event_sum
from ebmsuite.energy import Energy, JointEnergy, NoiseConditional
from ebmsuite.errors import UserError
from ebmsuite.model import Model
from ebmsuite.space import Batch
from ebmsuite.tasks.infer import infer, normal_generator

__all__ = ["Decision", "Levels", "decide", "levels_of", "usual", "weight_of"]

Decision: TypeAlias = Literal["posterior", "reconstruction", "smoothed", "energy", "ratio"]
"""The score: "posterior" is -log p(x, z) up to a constant; "reconstruction" is |g(z) - x|^2, and "smoothed" the same
after smoothing; "energy" is the energy; "ratio" is the energy minus the energy at a higher noise level."""

Levels: TypeAlias = tuple[float, float] | None
"""The lower and the higher noise level of "ratio"."""


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
    smooth: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, Tensor]:
    """Compute the ``score`` [B] of each event, higher for events more unlike the training data, and its terms [B].

    "posterior" is w |g(z) - x|^2 + E(z), the unnormalised negative log-posterior at an inferred z (Pang et al.,
    NeurIPS 2020, sec. 4.4). w is ``weight``, or 1 / (2 sd^2) with the sd of the generator when None. E is the energy of
    the latent vector, including its reference; without such an energy (a variational auto-encoder), E is the negative
    log density of the generator's own prior. "reconstruction" is |g(z) - x|^2. "smoothed" is the same after the
    domain's function ``smooth``, which maps the residual g(z) - x, [B, *event], to the same shape; when ``smooth`` is
    None, this term is missing. "energy" is E alone: E(z), or E(x) for an energy of events. Squares are summed over the
    event. ``descent`` and ``noise`` are settings of the inference (`ebmsuite.tasks.infer.infer`).

    "ratio" is E(z, low) - E(z, high) of a noise-conditional energy (`NoiseConditional`). (low, high) are ``levels``, or
    the lowest and highest noise level of the energy when None. It is the log-likelihood ratio of a background model to
    the data model, where the background is perturbed data (Ren et al., NeurIPS 2019, there for images and with two
    models). Features that are unlikely under the background too cancel out. Like E, the ratio is known up to a
    constant. It is also one of the terms of the other decisions. (An energy of events takes x instead of z.)

    No score depends on a label: for a joint energy, E is the marginal energy.

    Errors: `UserError` when the model lacks a part that the decision needs, when a setting is for another decision or
    kind of model, or when a score is not finite.
    """
    if weight is not None and decision != "posterior":
        raise UserError(f'weight is that of the squared error in the score "posterior"; the score is "{decision}"')
    if not model.has_latent and (descent or not noise):
        raise UserError("descent and noise say how a latent vector is inferred; this model has none")
    batch, levels = _without_labels(model, batch).to(model.device), levels_of(model, levels)
    if decision == "ratio" and levels is None:
        raise UserError(
            f'{model.recipe.recipe}: the score "ratio" needs a noise-conditional energy, such as mlp-levels'
        )
    if not model.has_latent:
        return _finite(_of_events(model, batch, decision, levels))
    if decision == "smoothed" and smooth is None:
        raise UserError('the score "smoothed" is for domains that define how a residual is smoothed; this one does not')
    generator = normal_generator(model)
    z = infer(model, batch, rng, descent, noise)
    residual = model.decode(z, rng, batch.condition) - batch.x
    prior: Any = model.players.get("energy", generator.latent)
    terms: dict[str, Tensor] = {"reconstruction": event_sum(residual.square())}
    if smooth is not None:
        terms["smoothed"] = event_sum(smooth(residual).square())
    terms |= _of_energy(prior, z, levels)
    posterior = weight_of(model, weight) * terms["reconstruction"] + terms["energy"]
    return _finite({"score": posterior if decision == "posterior" else terms[decision], **terms})


def weight_of(model: Model, weight: float | None) -> float:
    """The weight of the squared error in the score "posterior"."""
    if weight is not None:
        return weight
    return float(1 / (2 * normal_generator(model).sd ** 2))


def usual(model: Model) -> Decision:
    """The default decision for a model: "ratio", "posterior" or "energy"."""
    if levels_of(model, None) is not None:
        return "ratio"
    return "posterior" if model.has_latent else "energy"


def levels_of(model: Model, levels: Levels) -> Levels:
    """The lower and higher noise level of "ratio", or None if the energy is not noise-conditional."""
    energy = model.players.get("energy")
    if not isinstance(energy, NoiseConditional):
        if levels is not None:
            raise UserError(f"levels: {model.recipe.recipe} has no noise-conditional energy, such as mlp-levels")
        return None
    low, high = levels or (energy.low, energy.high)
    if not energy.low <= low < high <= energy.high:
        known = f"from {energy.low:g} to {energy.high:g}"
        raise UserError(f"levels: give a low and a high noise level of the energy, {known}; got {low:g} and {high:g}")
    return low, high


def _without_labels(model: Model, batch: Batch) -> Batch:
    if model.condition is not None and not isinstance(model.players.get("energy"), JointEnergy):
        raise UserError(f"{model.recipe.recipe}: this model is given labels, which an anomaly score must not depend on")
    return replace(batch, condition=None)


def _of_events(model: Model, batch: Batch, decision: Decision, levels: Levels) -> dict[str, Tensor]:
    energy = model.players.get("energy")
    if decision not in ("energy", "ratio"):
        raise UserError(
            f'{model.recipe.recipe}: the score "{decision}" needs a generator; this model has an energy of events, '
            'ask for "energy"'
        )
    if not isinstance(energy, Energy):
        raise UserError(f"{model.recipe.recipe}: a score needs an energy, of events or of a latent vector")
    parts = [_of_energy(energy, part.x, levels) for part in batch.parts(model.rows_at_once(batch.x.shape[1:]))]
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
