"""The interface of trainers, and the declarations of their players and phases."""

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
from ebmsuite.memory import DECODED, rows_at_once
from ebmsuite.sampling import Phase
from ebmsuite.space import Batch, ConditionSpace, Space
from ebmsuite.tree import Tree

__all__ = ["WATCHED_LATENT", "Draws", "Logs", "Role", "Spaces", "Trainer", "generator_posterior", "sides"]

WATCHED_LATENT: Mapping[str, tuple[float, float]] = {
    "gap": (1e3, 100.0), "z/posterior": (20.0, 10.0), "z/prior": (20.0, 10.0),
}  # fmt: skip
"""The ``watched`` of a trainer with chains on latent vectors: the gap of their energies, and their root mean squares.

Latent vectors are about standard normal, so both are smaller than on events."""

Logs: TypeAlias = dict[str, Tensor]
"""0-d tensors by name. ``gap`` is mean E(data) - mean E(samples)."""


def sides(plus: Tensor, minus: Tensor) -> Logs:
    """The logs of a contrast between energies [B] of data and of samples: the two means and their gap."""
    # float64, because rounding the means of large energies in float32 can exceed their difference
    data, samples = plus.detach().double().mean(), minus.detach().double().mean()
    return {"gap": data - samples, "energy/data": data, "energy/samples": samples}


class Spaces(NamedTuple):
    """The spaces and settings of a recipe that are known before its players are built."""

    event: Space
    """The space of the data's events."""
    condition: ConditionSpace
    """The space of the data's condition, or None."""
    latent: Space | None
    """The space of the recipe's latent vectors, or None."""
    settings: Mapping[str, Any]
    """The trainer's settings, as given in the recipe."""


@dataclass(frozen=True)
class Role:
    """The role of a player that a recipe names: its kind of component, and the spaces that it works in."""

    kind: Literal["energy", "density", "generator"]
    optional: bool = False
    noise_conditional: bool = False
    """Whether it may be a `NoiseConditional` energy; the trainer then gives it the noise level."""
    fitted: bool = False
    """Whether the trainer fits it to data directly (`ebmsuite.density.Fitted`), so that it has no optimiser."""
    event: Callable[[Spaces], Space] | None = None
    """The space of its events; None for the space of the data."""
    condition: Callable[[Spaces], ConditionSpace] | None = None
    """The space of its condition; None for the condition of the data."""


@dataclass(frozen=True)
class Draws:
    """The role of a phase that a recipe names: the space that its chains move in, and the energy that they sample."""

    space: Literal["event", "latent"]
    energy: str | Callable[[Mapping[str, Any]], Energy] = "energy"
    """The name of a player, or a function of the players."""
    optional: bool = False
    proposal: bool = False
    """Whether the trainer gives the starts of the chains. The recipe's chains must then be ``proposal``."""
    several: bool = False
    """Whether the trainer can use several chains per row of a batch (`ebmsuite.sampling.Chains.per_row`)."""


def generator_posterior(players: Mapping[str, Any]) -> Energy:
    """The posterior of a generator's latent vector, with the generator's latent density as the prior."""
    generator = players["generator"]
    return Posterior(generator.latent, generator)


@dataclass
class Trainer:
    """A learning method: how samples are drawn, and which players are updated by which losses.

    A subclass is a dataclass whose further fields are its settings. It declares, as data, the players that a recipe
    must name (``roles``), the phases that it draws from (``draws``) and the streams of batches that a step reads. It is
    independent of the domain and the device.
    """

    players: Players
    phases: Mapping[str, Phase]

    roles: ClassVar[Mapping[str, Role]] = {}
    """Roles by player."""
    draws: ClassVar[Mapping[str, Draws]] = {}
    """What the chains draw, by phase."""
    streams: ClassVar[tuple[str, ...]] = ("data",)
    watched: ClassVar[Mapping[str, tuple[float, float]]] = {"gap": (1e4, 100.0)}
    """Logged numbers that must not grow without bound, for the stability guard: the largest healthy size, and the
    factor by which a number may grow beyond its size at the start of the run, whichever allows more."""

    @classmethod
    def energies(cls, players: Mapping[str, Any]) -> Mapping[str, Energy]:
        """The energies by phase."""
        return {
            name: players[phase.energy] if isinstance(phase.energy, str) else phase.energy(players)
            for name, phase in cls.draws.items()
        }

    def cautions(self) -> list[str]:
        """Settings that are allowed but known to mislead, one line each; printed at the start of a run."""
        return []

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        """Make one learning step on one batch per stream."""
        raise NotImplementedError(f"{type(self).__name__} defines no step")

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tree:
        """``n`` events from the model in its current state. This default decodes latent vectors (`sample_latent`)."""
        return self.decode(self.sample_latent(n, rng, condition), rng, condition)

    @torch.no_grad()
    def sample_latent(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        """``n`` latent vectors: the ends of the chains of a phase "prior", or else draws of the generator's density."""
        if "prior" in self.phases:
            return self.phases["prior"].sample(n, rng, condition)
        if "generator" not in self.players:
            raise NotImplementedError(f"{type(self).__name__} defines no sample")
        z: Tensor = self.players["generator"].latent.sample(n, rng, condition)
        return z

    def infer(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """One latent vector per event, [B, *latent]. Raises `UserError` if the model has none."""
        raise UserError(f"{type(self).__name__} has no latent vector to infer")

    @torch.no_grad()
    def decode(self, z: Tensor, rng: torch.Generator, condition: Tree = None, **how: Any) -> Tensor:
        """One event per latent vector, in parts of at most `DECODED`.

        ``how`` is passed to the generator's `decode`: ``temperature`` and ``likeliest``. Raises `UserError` if the
        model has no generator.
        """
        if "generator" not in self.players:
            raise UserError(f"{type(self).__name__} has no generator to decode a latent vector")
        generator = self.players["generator"]
        parts = Batch(z, condition).parts(rows_at_once((), generator, most=DECODED))
        return torch.cat([generator.decode(part.x, rng, part.condition, **how) for part in parts])

    def classify(self, x: Tensor) -> Tensor:
        """log p(y | x) up to a constant, [B, C]. Raises `UserError` if the model has no classes."""
        raise UserError(f"{type(self).__name__} has no classes, so it cannot classify events")

    def recover(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """The events of ``batch`` with coordinates that are not ``known`` drawn from the model.

        Raises `UserError` if the trainer does not learn from incomplete events.
        """
        raise UserError(f"{type(self).__name__} cannot recover hidden coordinates")

    def state(self) -> dict[str, Tensor]:
        """The state that a resumed run needs beyond players and phases."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` gave."""
