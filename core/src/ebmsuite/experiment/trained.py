"""Players that come from another run: reading their architecture and weights when a run begins."""

from __future__ import annotations

import dataclasses
import inspect
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ebmsuite.dataset import digest_of
from ebmsuite.errors import DataError, RecipeError
from ebmsuite.experiment import provenance
from ebmsuite.experiment.chosen import newest
from ebmsuite.experiment.recipe import TRAINED, Recipe, read_stored
from ebmsuite.experiment.stored import load_tensors
from ebmsuite.plugins.registry import Registry
from ebmsuite.values import plain

__all__ = ["TrainedPlayer", "architecture", "complete"]

log = logging.getLogger("ebmsuite")


@dataclass(frozen=True)
class TrainedPlayer:
    """A player of another run."""

    where: str
    """The player in words, for messages."""
    spaces: Mapping[str, Any]
    """The plain spaces of the other run that the net was built for, by name, and its codec."""
    state: Mapping[str, Tensor]
    """The weights, averaged if the run kept averages."""

    def load(self, player: str, net: nn.Module, spaces: Mapping[str, Any]) -> None:
        """Load the weights into ``net``. Raises a `RecipeError` if its ``spaces`` are not those of the other run."""
        for name, stored in self.spaces.items():
            difference = provenance.difference(stored, spaces[name])
            if difference and name == "codec":
                log.warning("players.%s: %s reads data in another way: codec %s", player, self.where, difference)
            elif difference:
                raise RecipeError(f"players.{player}: {self.where} has another {name} space: {name} {difference}")
        own = net.state_dict()
        unfit = sorted(own.keys() ^ self.state.keys()) or [k for k in own if own[k].shape != self.state[k].shape]
        if unfit:
            raise RecipeError(
                f"players.{player}: {self.where} does not fit: {unfit[0]} is missing or has another shape"
            )
        net.load_state_dict(self.state)


def architecture(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The spec of the net of a player: for a trained player, that of its architecture."""
    return spec["net"] if spec["name"] == TRAINED else spec


def complete(recipe: Recipe, registry: Registry) -> tuple[Recipe, dict[str, TrainedPlayer]]:
    """The recipe with the architecture and the digest of every trained player, and these players' sources.

    Raises a `RecipeError` if a run or player does not exist, or if the weights are not those of a recorded digest.
    """
    players, sources = dict(recipe.players), {}
    trainer: Any = registry.resolve("trainer", recipe.trainer["name"])
    for name, spec in recipe.players.items():
        if spec["name"] == TRAINED:
            players[name], sources[name] = _read(name, spec, trainer.roles[name].kind, registry)
    return (dataclasses.replace(recipe, players=players) if sources else recipe), sources


def _read(name: str, spec: Mapping[str, Any], kind: str, registry: Registry) -> tuple[dict[str, Any], TrainedPlayer]:
    folder, player = Path(spec["run"]), spec["player"] or name
    try:
        recipe, data = read_stored(folder, registry), provenance.read(folder)
    except DataError as error:
        raise RecipeError(f"players.{name}.run: {error}") from error
    if player not in recipe.players:
        raise RecipeError(
            f'players.{name}.player: {folder} has no player "{player}" (it has: {", ".join(recipe.players)})'
        )
    trainer: Any = registry.resolve("trainer", recipe.trainer["name"])
    its = trainer.roles[player].kind
    if its != kind:
        raise RecipeError(f'players.{name}.player: "{player}" of {folder} is a {its}, but a {kind} is needed here')
    which = spec["checkpoint"]
    try:
        checkpoint = newest(folder, None if which is None else str(which), recipe)
    except DataError as error:
        raise RecipeError(f"players.{name}.{'run' if which is None else 'checkpoint'}: {error}") from error
    net = architecture(recipe.players[player])
    state = _state(checkpoint / "ema.safetensors", player) or _state(checkpoint / "players.safetensors", player)
    digest = digest_of(*(part for key in sorted(state) for part in (key, state[key])))
    if spec["digest"] not in (None, digest):
        raise RecipeError(
            f'players.{name}.digest: the weights of "{player}" in {folder} have the digest {digest}, the recipe has '
            f"{spec['digest']}; that run has gone on since: remove the digest to use its present weights"
        )
    stored = {
        "event": data["event"],
        "condition": data["condition"],
        "latent": plain(recipe.latent),
        "codec": data["codec"],
    }
    names = _takes(kind, net, registry)
    if recipe.players[player]["of"] == "latent":
        names -= {"event"}
    names |= {"codec"} if "event" in names else set()
    full = {**spec, "player": player, "digest": digest, "net": dict(net), "of": recipe.players[player]["of"]}
    full["net"].pop("of", None)
    where = f'"{player}" of {folder}'
    return full, TrainedPlayer(where, {key: stored[key] for key in stored if key in names}, state)


def _state(file: Path, player: str) -> dict[str, Tensor]:
    return {k[len(player) + 1 :]: v for k, v in load_tensors(file).items() if k.startswith(player + "/")}


def _takes(kind: str, spec: Mapping[str, Any], registry: Registry) -> set[str]:
    """The spaces that a component and the components in its settings are built for."""
    names = set(inspect.signature(registry.resolve(kind, spec["name"])).parameters) & {"event", "latent", "condition"}
    if spec.get("conditional") is False:
        names -= {"condition"}
    for key, parameter in registry.parameters(kind, spec["name"]).items():
        if parameter.kind and spec.get(key) is not None:
            names |= _takes(parameter.kind, spec[key], registry)
    return names
