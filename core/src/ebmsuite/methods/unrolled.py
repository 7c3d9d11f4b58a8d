"""Learning an energy by the error of the point that descent on it reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from ebmsuite.energy import Clamped
from ebmsuite.errors import DataError
from ebmsuite.learning.trainer import Draws, Logs, Role, Trainer
from ebmsuite.sampling import Start
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["UnrolledDescent"]


@dataclass
class UnrolledDescent(Trainer):
    """An energy on which descent from a given start recovers hidden coordinates (Domke, AISTATS 2012).

        min E |x_K - x|,    x_k+1 = x_k - w dE/dx_hidden(x_k),    x_0 = a guess of the hidden coordinates

    The phase ``recovered`` makes the steps and must start at the visible part (chains such as ``visible``). All its
    steps are differentiated, so activations must be smooth. The error, "absolute" or "squared", is the mean over the
    hidden coordinates. E is not the negative log density of the data: it is learned for the recovery that ``steps``
    steps make.

    The data are ``masked`` with ``given: condition``. Around data that are incomplete themselves (``masked`` of
    ``masked``, or of a film with a mask), learning hides a further part of what is known and judges only that part;
    `recover` then recovers what is not known.
    """

    error: Literal["absolute", "squared"] = "absolute"

    roles: ClassVar[Mapping[str, Role]] = {"energy": Role("energy", condition=lambda spaces: _inner(spaces.condition))}
    draws: ClassVar[Mapping[str, Draws]] = {
        "recovered": Draws("event", lambda players: Clamped(players["energy"])),
    }

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, phase = batches["data"], self.phases["recovered"]
        if not Clamped.is_given(data.condition):
            raise DataError('the trainer "unrolled" needs the data set "masked" with given: condition')
        drawn = phase.draw(data, rng, data.condition, graph=phase.steps)
        judged = Clamped.hidden(data.condition, data.known)
        if t == 0 and not judged.any():
            raise DataError("the masks hide no coordinate that the data know, so there is nothing to learn from")
        # a later batch whose masks hide nothing known, by chance, has the loss 0
        miss, begun = (v[judged] - data.x[judged] for v in (drawn.x, drawn.start.x))
        number = judged.sum().clamp(min=1)
        loss = (miss.abs() if self.error == "absolute" else miss.square()).sum() / number
        logs = self.players.update({"energy": loss})
        return {"error": miss.detach().abs().sum() / number, "error/start": begun.abs().sum() / number, **logs}

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.phases["recovered"].sample(n, rng, condition)

    def recover(self, batch: Batch, rng: torch.Generator) -> Tensor:
        if batch.known is None:
            raise DataError("these events have no hidden coordinates (Batch.known), so there is nothing to recover")
        phase = self.phases["recovered"]
        given = Clamped.given(batch.x, batch.known, _inner(batch.condition))
        start = phase.chains.start(len(batch), rng, batch, given)
        return phase.refine(Start(start.x, given), rng)


def _inner(condition: Any) -> Any:
    """What a clamped energy gives its energy of a condition, or of the space of one."""
    return condition.get("inner") if Clamped.is_given(condition) else condition
