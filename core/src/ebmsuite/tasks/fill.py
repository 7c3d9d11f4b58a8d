"""Unknown coordinates of events, drawn given the known ones."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmsuite.energy import Clamped
from ebmsuite.errors import UserError
from ebmsuite.sampling import Phase, Start
from ebmsuite.tree import Tree

__all__ = ["fill"]


def fill(
    phase: Phase,
    x: Tensor,
    known: Tensor,
    rng: torch.Generator,
    steps: int | None = None,
    condition: Tree = None,
) -> Tensor:
    """``x`` [B, *event] with the coordinates that are not ``known`` drawn given the others.

    ``known`` is boolean and broadcasts to the shape of x. The chains are those of ``phase`` on its energy, given
    ``condition`` and clamped at the known coordinates, which keep their exact values. Unknown coordinates start from
    the density that the chains of the phase start from. ``steps`` is the length of the chains, that of the phase if
    None. Errors: `UserError` if the chains of the phase do not start from a density.
    """
    density = phase.chains.density
    if density is None:
        kind = type(phase.chains).__name__
        raise UserError(f"chains of kind {kind} have no noise that unknown coordinates could start from")
    given = (x, known.expand_as(x), condition)
    noise = density.sample(len(x), rng, condition)
    clamped = Phase(Clamped(phase.energy), phase.sampler, phase.chains, phase.steps, phase.nets)
    return clamped.refine(Start(Clamped.place(noise, given), given), rng, steps)
