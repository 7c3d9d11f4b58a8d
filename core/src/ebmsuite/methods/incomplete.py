"""Maximum likelihood from events with hidden coordinates."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.energy import Clamped
from ebmsuite.errors import DataError, RecipeError
from ebmsuite.learning.trainer import Draws, Logs, Role, Trainer, sides
from ebmsuite.memory import chunk_size
from ebmsuite.progress import progress
from ebmsuite.sampling import Memory, Start
from ebmsuite.space import Batch
from ebmsuite.tree import Tree, per_row

__all__ = ["IncompleteLikelihood"]


@dataclass
class IncompleteLikelihood(Trainer):
    """Maximum likelihood with two Langevin chains, for synthesis and recovery (Xie, Zhu, Wu, TPAMI 2021, sec. 6).

        d/dtheta log p(x_known) = E_p(x)[dE/dtheta] - E_p(x_hidden | x_known)[dE/dtheta]

    The phase ``recovered`` draws the hidden coordinates with the known ones fixed. With the chains ``memory``, the
    chains of each example continue from their last states. Each phase may have several chains per example. The examples
    that the phase ``negative`` sees are recovered ones (of the first chain), so that chains of kind "data" are
    contrastive divergence from them.

    `recover` gives the mean, over the chains of an example, of the states at ``recovery_draws`` equally spaced steps;
    the last is step ``recovery_steps``. Outside learning, a recovery starts new chains. With ``continued`` it continues
    the chains that the memory keeps for the same example with the same known values, and starts new chains for others.
    """

    recovery_steps: int = 200
    recovery_draws: int = 1
    continued: bool = False

    roles: ClassVar[Mapping[str, Role]] = {"energy": Role("energy")}
    draws: ClassVar[Mapping[str, Draws]] = {
        "recovered": Draws("event", lambda players: Clamped(players["energy"]), several=True),
        "negative": Draws("event", several=True),
    }

    def __post_init__(self) -> None:
        if not 1 <= self.recovery_draws <= max(self.recovery_steps, 1):
            raise RecipeError(
                f"trainer.recovery_draws: must be from 1 to recovery_steps = {self.recovery_steps}, got "
                f"{self.recovery_draws}"
            )
        if self.continued and not isinstance(self.phases["recovered"].chains, Memory):
            raise RecipeError('trainer.continued: needs phases.recovered.chains of kind "memory"')

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, energy = batches["data"], self.players["energy"]
        # recovery and synthesis
        recovered = self.phases["recovered"].draw(data, rng, _given(data))
        completed = dataclasses.replace(data, x=recovered.x[:: recovered.per_row])
        negative = self.phases["negative"].draw(completed, rng, data.condition)
        # analysis
        plus = recovered.rows(energy(recovered.x, recovered.condition.get("inner")))
        minus = negative.rows(energy(negative.x, negative.condition))
        logs = self.players.update({"energy": (plus - minus).mean()})
        return {
            **sides(plus, minus),
            "samples/max": negative.x.abs().max(),
            **logs,
        }

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.phases["negative"].sample(n, rng, condition)

    def recover(self, batch: Batch, rng: torch.Generator) -> Tensor:
        phase = self.phases["recovered"]
        many = batch.repeat_interleave(phase.chains.per_row)
        given = _given(many)
        x = phase.chains.start(len(many), rng, None, given).x
        if self.continued:
            x = self._resumed(many, x)
        total = torch.zeros_like(x)
        with progress("recovery", self.recovery_draws) as advance:
            for k in range(self.recovery_draws):
                done, until = (self.recovery_steps * i // self.recovery_draws for i in (k, k + 1))
                x = phase.refine(Start(x, given), rng, until - done, batch=chunk_size(x.shape[1:], phase.energy))
                total += x
                advance(1)
        mean = (total / self.recovery_draws).reshape(-1, phase.chains.per_row, *x.shape[1:]).mean(1)
        return Clamped(self.players["energy"]).place(mean, _given(batch))  # the mean of equal numbers is rounded

    def _resumed(self, batch: Batch, x: Tensor) -> Tensor:
        """The kept chain of each row if there is one with the same known values, otherwise x."""
        memory = self.phases["recovered"].chains
        assert isinstance(memory, Memory)
        assert batch.known is not None
        found = memory.kept(batch)
        if found is None:
            return x
        kept, there = found
        same = ((kept == batch.x) | ~batch.known).flatten(1).all(1)
        return torch.where(per_row(there & same, x), kept, x)


def _given(batch: Batch) -> dict[str, Tree]:
    if batch.known is None:
        raise DataError('the trainer "incomplete" needs data with a mask of the known coordinates (Batch.known)')
    return Clamped.given(batch.x, batch.known, batch.condition)
