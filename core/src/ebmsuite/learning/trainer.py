"""What a trainer is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from torch import Tensor

from ebmsuite.energy import Energy
from ebmsuite.errors import UserError
from ebmsuite.learning.players import Players
from ebmsuite.sampling import Phase
from ebmsuite.space import Batch, Given, Space
from ebmsuite.tree import Tree

__all__ = ["Logs", "Trainer", "sides"]

DECODED = 1000
"""Events decoded at once: it bounds the memory."""

Logs: TypeAlias = dict[str, Tensor]
"""0-d tensors by name. ``gap`` is mean E(data) - mean E(samples)."""


def sides(plus: Tensor, minus: Tensor) -> Logs:
    """What every contrast logs of its two sides, energies [B] of data and of samples: their means, and the gap."""
    # in float64: the means of large energies would be rounded to more than their difference
    data, samples = plus.detach().double().mean(), minus.detach().double().mean()
    return {"gap": data - samples, "energy/data": data, "energy/samples": samples}


@dataclass
class Trainer:
    """How phases are formed and who is updated.

    A subclass is a dataclass whose further fields are its settings. It declares the players that a recipe must
    name (with the kind of component that each is), the phases it draws from, and the streams of batches that a
    step reads. It knows no domain and no device.
    """

    players: Players
    phases: Mapping[str, Phase]

    roles: ClassVar[Mapping[str, str]] = {}
    """Player -> kind of component."""
    optional: ClassVar[frozenset[str]] = frozenset()
    """Players and phases that a recipe may leave out."""
    draws: ClassVar[Mapping[str, Literal["event", "latent"]]] = {}
    """Phase -> the space that it draws from."""
    starts: ClassVar[frozenset[str]] = frozenset()
    """Phases whose chains start where the trainer says: they must be ``proposal``."""
    tells: ClassVar[bool] = False
    """Whether an energy may be one that is told the noise: `NoiseConditional`."""
    streams: ClassVar[tuple[str, ...]] = ("data",)

    @staticmethod
    def events(event: Space, settings: Mapping[str, Any]) -> Mapping[str, Space]:
        """Player -> the space of its events, for those that see other ones than the data's.

        ``settings`` are the trainer's own, as the recipe has them.
        """
        return {}

    @staticmethod
    def conditions(event: Space, condition: Given, latent: Space | None) -> Mapping[str, Given]:
        """Player -> the space of its condition, for those that are given another one than the data's.

        ``latent`` is the space of the recipe's latent vectors, if it has any.
        """
        return {}

    @staticmethod
    def energies(players: Mapping[str, Any]) -> Mapping[str, Energy]:
        """The energy of every phase."""
        raise NotImplementedError("a trainer that draws says which energy each phase has")

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
