"""What a trainer is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from torch import Tensor

from ebmsuite.energy import Energy
from ebmsuite.learning.players import Players
from ebmsuite.sampling import Phase
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["Logs", "Trainer"]

Logs: TypeAlias = dict[str, Tensor]
"""0-d tensors by name. ``gap`` is mean E(data) - mean E(samples)."""


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
    draws: ClassVar[Mapping[str, Literal["event", "latent"]]] = {}
    """Phase -> the space that it draws from."""
    streams: ClassVar[tuple[str, ...]] = ("data",)

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

    def state(self) -> dict[str, Tensor]:
        """What a resumed run needs beyond players and phases."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
