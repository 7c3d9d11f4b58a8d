"""What a trainer is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

from ebmsuite.energy import Energy
from ebmsuite.errors import UserError
from ebmsuite.generator import Posterior
from ebmsuite.learning.players import Players
from ebmsuite.sampling import Phase
from ebmsuite.space import Batch, ConditionSpace, Space
from ebmsuite.tree import Tree

__all__ = ["Draws", "Logs", "Role", "Spaces", "Trainer", "generator_posterior", "sides"]

DECODED = 1000
"""Events decoded at once: it bounds the memory."""

Logs: TypeAlias = dict[str, Tensor]
"""0-d tensors by name. ``gap`` is mean E(data) - mean E(samples)."""


def sides(plus: Tensor, minus: Tensor) -> Logs:
    """What every contrast logs of its two sides, energies [B] of data and of samples: their means, and the gap."""
    # in float64: the means of large energies would be rounded to more than their difference
    data, samples = plus.detach().double().mean(), minus.detach().double().mean()
    return {"gap": data - samples, "energy/data": data, "energy/samples": samples}


class Spaces(NamedTuple):
    """What is known of a recipe before its players are built."""

    event: Space
    """The space of the data's events."""
    condition: ConditionSpace
    """The space of the data's condition, or None."""
    latent: Space | None
    """The space of the recipe's latent vectors, or None."""
    settings: Mapping[str, Any]
    """The trainer's own settings, as the recipe has them."""


@dataclass(frozen=True)
class Role:
    """A player that a recipe names: what kind of component it is, and the spaces that it works in."""

    kind: Literal["energy", "density", "generator"]
    optional: bool = False
    noise_conditional: bool = False
    """Whether it may be a `NoiseConditional` energy: this trainer gives it the level of noise."""
    event: Callable[[Spaces], Space] | None = None
    """The space of its events; that of the data when None."""
    condition: Callable[[Spaces], ConditionSpace] | None = None
    """The space of its condition; that of the data when None."""


@dataclass(frozen=True)
class Draws:
    """A phase that a recipe names: the space that its chains move in, and the energy that they draw from."""

    space: Literal["event", "latent"]
    energy: str | Callable[[Mapping[str, Any]], Energy] = "energy"
    """The name of a player, or a function of the players."""
    optional: bool = False
    proposal: bool = False
    """Whether the trainer says where chains start: the recipe's chains must be ``proposal``."""


def generator_posterior(players: Mapping[str, Any]) -> Energy:
    """The posterior of a generator's latent vector under its own prior."""
    generator = players["generator"]
    return Posterior(generator.latent, generator)


@dataclass
class Trainer:
    """How phases are formed and who is updated.

    A subclass is a dataclass whose further fields are its settings. It declares, as data, the players that a recipe
    must name (``roles``), the phases that it draws from (``draws``) and the streams of batches that a step reads. It
    knows no domain and no device.
    """

    players: Players
    phases: Mapping[str, Phase]

    roles: ClassVar[Mapping[str, Role]] = {}
    """Player -> its role."""
    draws: ClassVar[Mapping[str, Draws]] = {}
    """Phase -> what its chains draw."""
    streams: ClassVar[tuple[str, ...]] = ("data",)

    @classmethod
    def energies(cls, players: Mapping[str, Any]) -> Mapping[str, Energy]:
        """The energy of every phase."""
        return {
            name: players[phase.energy] if isinstance(phase.energy, str) else phase.energy(players)
            for name, phase in cls.draws.items()
        }

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        """One learning step on one batch of every stream."""
        raise NotImplementedError(f"{type(self).__name__} defines no step")

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tree:
        """``n`` events from the model as it stands."""
        raise NotImplementedError(f"{type(self).__name__} defines no sample")

    def infer(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """One latent vector for every event, [B, *latent], where the model has one."""
        raise UserError(f"{type(self).__name__} has no latent vector to infer")

    def decode(self, z: Tensor, rng: torch.Generator, condition: Tree = None) -> Tensor:
        """One event for every latent vector, where the model has a generator; `DECODED` at a time."""
        if "generator" not in self.players:
            raise UserError(f"{type(self).__name__} has no generator to decode a latent vector with")
        decode = self.players["generator"].decode
        with torch.no_grad():
            return torch.cat([decode(part.x, rng, part.condition) for part in Batch(z, condition).parts(DECODED)])

    def classify(self, x: Tensor) -> Tensor:
        """log p(y | x) up to a constant, [B, C], of events, where the model knows classes."""
        raise UserError(f"{type(self).__name__} has no classes to tell apart")

    def recover(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """The events of ``batch`` with what is not ``known`` drawn by the model, where it learns from such events."""
        raise UserError(f"{type(self).__name__} recovers nothing that is hidden")

    def state(self) -> dict[str, Tensor]:
        """What a resumed run needs beyond players and phases."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
