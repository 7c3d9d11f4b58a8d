"""Maximum likelihood from events with hidden coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.energy import Clamped
from ebmsuite.errors import DataError
from ebmsuite.learning.trainer import Draws, Logs, Role, Trainer, sides
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["IncompleteLikelihood"]


@dataclass
class IncompleteLikelihood(Trainer):
    """Maximum likelihood with two Langevin chains, for synthesis and recovery (Xie, Zhu, Wu, TPAMI 2021, sec. 6).

        d/dtheta log p(x_known) = E_p(x)[dE/dtheta] - E_p(x_hidden | x_known)[dE/dtheta]

    The phase ``recovered`` draws the hidden coordinates with the known ones fixed. With the chains ``memory``, the
    chain of each example continues from its last state. Outside learning, a recovery starts a new chain of
    ``recovery_steps`` steps.
    """

    recovery_steps: int = 200

    roles: ClassVar[Mapping[str, Role]] = {"energy": Role("energy")}
    draws: ClassVar[Mapping[str, Draws]] = {
        "recovered": Draws("event", lambda players: Clamped(players["energy"])),
        "negative": Draws("event"),
    }

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, energy = batches["data"], self.players["energy"]
        given = _given(data)
        # recovery and synthesis
        recovered = self.phases["recovered"].draw(data, rng, given)
        negative = self.phases["negative"].draw(data, rng, data.condition)
        # analysis
        plus = energy(Clamped.place(recovered.x, given), data.condition)
        minus = energy(negative.x, negative.condition)
        logs = self.players.update({"energy": (plus - minus).mean()})
        return {
            **sides(plus, minus),
            "samples/max": negative.x.abs().max(),
            **logs,
        }

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.phases["negative"].sample(n, rng, condition)

    def recover(self, batch: Batch, rng: torch.Generator) -> Tensor:
        given = _given(batch)
        hidden = self.phases["recovered"].sample(len(batch), rng, given, steps=self.recovery_steps)
        return Clamped.place(hidden, given)


def _given(batch: Batch) -> Tree:
    if batch.known is None:
        raise DataError('the trainer "incomplete" needs data with a mask of the known coordinates (Batch.known)')
    return batch.x, batch.known, batch.condition
