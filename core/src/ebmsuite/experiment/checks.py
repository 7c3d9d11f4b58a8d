"""Rules for recipes beyond the types of their values. Each rule is one function that raises a `RecipeError`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ebmsuite.dataset import Dataset
from ebmsuite.errors import PluginError, RecipeError
from ebmsuite.experiment.recipe import Recipe
from ebmsuite.learning import Draws, Role
from ebmsuite.sampling import Phase, Proposal
from ebmsuite.space import ConditionSpace, Space, space_problem

__all__ = [
    "chains_are_counted",
    "chains_are_independent",
    "chains_are_proposed",
    "condition_is_taken",
    "conditions_are_sound",
    "energy_is_of_the_space",
    "latent_is_known",
    "level_of_noise_is_given",
    "sampler_is_declared",
    "sampler_moves_the_space",
    "space_of",
    "streams_agree",
]


def streams_agree(datasets: Mapping[str, Dataset]) -> None:
    """All streams of a trainer must have the same event space."""
    first = next(iter(datasets))
    for name, dataset in datasets.items():
        if dataset.event != datasets[first].event:
            raise RecipeError(
                f"data.{name}: all streams of a trainer must have the same event space; this one has {dataset.event}, "
                f"data.{first} has {datasets[first].event}"
            )


def conditions_are_sound(datasets: Mapping[str, Dataset]) -> None:
    """The space of a condition must be a tree whose masks and class names fit its leaves. Raises a `PluginError`."""
    for name, dataset in datasets.items():
        if problem := space_problem(dataset.condition):
            raise PluginError(f"data.{name}: {type(dataset).__name__}.{problem}")


def space_of(recipe: Recipe, player: str, spaces: Mapping[str, Any]) -> Space:
    """The space of a player, as ``of`` in the recipe says: "event", or "latent" if the recipe sets ``latent``."""
    of = recipe.players[player]["of"]
    if of == "latent" and "latent" not in spaces:
        raise RecipeError(f"players.{player}.of: is latent, but the recipe sets no latent shape; set latent")
    space: Space = spaces[of]
    return space


def latent_is_known(draws: Mapping[str, Draws], spaces: Mapping[str, Any]) -> None:
    """A trainer that draws latent vectors needs their shape."""
    for name, phase in draws.items():
        if phase.space not in spaces:
            raise RecipeError(f"latent: the phase {name} draws latent vectors; set latent to their length")


def condition_is_taken(recipe: Recipe, player: str, net: Any, target: Any, condition: ConditionSpace) -> None:
    """A component that passes the condition to its net must accept one when it is built.

    It does if its target has an argument "condition".
    """
    passes_on = getattr(net, "passes_condition", False)
    if condition is not None and passes_on and "condition" not in inspect.signature(target).parameters:
        raise RecipeError(
            f'players.{player}: "{recipe.players[player]["name"]}" takes no condition, but the data have one; '
            "use data without labels, or another component"
        )


def level_of_noise_is_given(recipe: Recipe, player: str, net: Any, role: Role) -> None:
    """A noise-conditional energy needs a trainer that supplies the noise level."""
    if getattr(net, "noise_conditional", False) and not role.noise_conditional:
        raise RecipeError(
            f'players.{player}: "{recipe.players[player]["name"]}" is noise-conditional, but the trainer '
            f'"{recipe.trainer["name"]}" supplies no noise level; use another energy, or a trainer that does'
        )


def energy_is_of_the_space(recipe: Recipe, phase: str, energy: Any, players: Mapping[str, Any], draws: Draws) -> None:
    """The energy of a phase must be defined on the space that the chains of the phase move in."""
    for name, net in players.items():
        if net is energy and recipe.players[name]["of"] != draws.space:
            what = "latent vectors" if draws.space == "latent" else "events"
            raise RecipeError(
                f"players.{name}.of: the phase {phase} draws {what} of this energy; set of: {draws.space}"
            )


def chains_are_proposed(recipe: Recipe, phase: str, built: Phase, draws: Draws) -> None:
    """If the trainer supplies the initial states of the chains, the chains must be "proposal"."""
    if draws.proposal and not isinstance(built.chains, Proposal):
        raise RecipeError(
            f'phases.{phase}.chains: the trainer "{recipe.trainer["name"]}" supplies the initial states; use "proposal"'
        )


def chains_are_counted(recipe: Recipe, phase: str, built: Phase, draws: Draws) -> None:
    """Only a trainer that says so can use several chains per example."""
    if built.chains.per_row > 1 and not draws.several:
        raise RecipeError(
            f'phases.{phase}.chains.chains: the trainer "{recipe.trainer["name"]}" uses one chain per example, not '
            f"{built.chains.per_row}"
        )


def sampler_is_declared(phase: str, name: str, sampler: Any) -> None:
    """A sampler must declare ``continuous`` and ``adjusted``: what it moves, and whether it accepts or rejects.

    Raises a `PluginError`.
    """
    for key in ("continuous", "adjusted"):
        if not hasattr(sampler, key):
            raise PluginError(
                f'phases.{phase}.sampler: "{name}" does not declare {key}; add "{key}: ClassVar[bool] = ..." to its '
                "class (docs/plugins.md)"
            )


def sampler_moves_the_space(phase: str, name: str, sampler: Any, space: Space) -> None:
    """Gradient samplers move real events, flip samplers move one-hot events, and no sampler moves tokens."""
    if space.kind == "tokens":
        raise RecipeError(f"phases.{phase}: no sampler moves tokens; use a trainer that draws latent vectors instead")
    if sampler.continuous == (space.kind == "one-hot"):
        moves = "along gradients" if sampler.continuous else "one-hot events"
        raise RecipeError(
            f'phases.{phase}.sampler: "{name}" moves {moves}, but the events are {space.kind}; '
            f"use {'gibbs-with-gradients' if sampler.continuous else 'langevin or hmc'}"
        )


def chains_are_independent(phase: str, name: str, sampler: Any, energy: nn.Module, nets: str) -> None:
    """A sampler that accepts or rejects per chain needs energies that do not depend on the other chains."""
    if sampler.adjusted and nets == "train" and any(isinstance(m, _BatchNorm) for m in energy.modules()):
        raise RecipeError(
            f"phases.{phase}.nets: in train mode batch statistics couple the chains, but "
            f'"{name}" accepts or rejects each chain separately; use nets: eval, or langevin'
        )
