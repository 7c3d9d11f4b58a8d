"""Sampling of unknown coordinates of events given the known coordinates."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmsuite.energy import Clamped
from ebmsuite.errors import UserError
from ebmsuite.sampling import Phase, Visible
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
    """Return ``x`` [B, *event] with the coordinates that are not ``known`` sampled given the others.

    ``known`` is boolean and broadcasts to the shape of x. The chains use the energy and sampler of ``phase``, given
    ``condition``. They are clamped at the known coordinates, which keep their exact values. Unknown coordinates start
    as those of the chains "visible", if the phase has these, otherwise from the density from which the chains of the
    phase start. ``steps`` is the length of the chains; None means that of the phase. Errors: `UserError` if the chains
    of the phase do not start from a density.
    """
    chains = phase.chains
    if not isinstance(chains, Visible):
        if chains.density is None:
            kind = type(chains).__name__
            raise UserError(f"chains of kind {kind} have no noise that unknown coordinates could start from")
        chains = Visible(chains.density)
    energy = phase.energy if isinstance(phase.energy, Clamped) else Clamped(phase.energy)
    given = Clamped.given(x, known.expand_as(x), condition)
    clamped = Phase(energy, phase.sampler, chains, phase.steps, phase.nets)
    return clamped.refine(chains.start(len(x), rng, None, given), rng, steps)
