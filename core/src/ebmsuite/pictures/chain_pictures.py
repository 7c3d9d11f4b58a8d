"""Pictures of chains at moments between their start and their end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

from ebmsuite.errors import UserError
from ebmsuite.generator import Posterior
from ebmsuite.model import Model
from ebmsuite.pictures.events import check_drawable, draw
from ebmsuite.pictures.sheets import Picture, sheet
from ebmsuite.sampling import Phase, Start
from ebmsuite.space import Batch
from ebmsuite.tasks.film import follow, moments
from ebmsuite.tree import Tree

__all__ = ["ChainPictures", "Spacing", "film", "start_of", "strip"]

Spacing: TypeAlias = Literal["even", "geometric"]
"""Of the moments at which chains are shown; "geometric" is closer together at their start."""


class ChainPictures(NamedTuple):
    """Pictures of the same chains, uint8 [chains, H, W] or [chains, H, W, 3]: few for a strip, many for a film."""

    columns: list[Tensor]
    moments: list[Tensor]


def film(
    model: Model,
    rng: torch.Generator,
    what: str,
    columns: int,
    frames: int,
    chains: int,
    phase: str | None = None,
    spacing: Spacing = "even",
    condition: Tree = None,
) -> ChainPictures:
    """Run ``chains`` new chains of a phase and draw them at ``columns`` and at ``frames`` moments.

    ``spacing`` is that of the columns. The default phase is "prior" for a model of latent vectors, which are drawn as
    g(z), else "negative". ``condition`` [chains] is that of the chains. ``what`` is the name of the component, for
    messages.
    """
    check_drawable(model.codec, what)
    chosen = model.phase(phase or ("prior" if model.has_latent else "negative"))
    start = start_of(chosen, chains, rng, what, condition)
    few, many = moments(chosen.sampling_steps, columns, spacing), moments(chosen.sampling_steps, frames, "even")
    seen = follow(chosen, start, rng, {*few, *many}, model.device)
    events = {t: model.as_events(x, rng, condition) for t, x in seen.items()}
    drawn = {t: draw(model.codec, x, Batch(x, condition)) for t, x in events.items()}
    return ChainPictures([drawn[t] for t in few], [drawn[t] for t in many])


def start_of(phase: Phase, n: int, rng: torch.Generator, what: str, condition: Tree = None) -> Start:
    """Start ``n`` chains. `UserError` if the chains belong to given events, as those of a posterior do."""
    if isinstance(phase.energy, Posterior):
        raise UserError(
            f"{what}: chains of the posterior belong to given events; the renderer reconstructions shows their ends"
        )
    return phase.chains.start(n, rng, condition=condition)


def strip(columns: Sequence[Tensor]) -> Picture:
    """Join pictures [N, H, W, ...] of N chains at several moments: one row per chain, one column per moment."""
    return sheet(torch.stack(list(columns), 1).flatten(0, 1), len(columns))
