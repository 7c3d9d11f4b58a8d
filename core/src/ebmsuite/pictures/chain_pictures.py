"""Pictures of chains at moments between their start and their end."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, groupby
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

from ebmsuite.errors import UserError
from ebmsuite.generator import Posterior
from ebmsuite.model import Model
from ebmsuite.pictures.events import check_drawable, draw
from ebmsuite.pictures.sheets import Picture, sheet
from ebmsuite.sampling import Phase, Start
from ebmsuite.sampling.phase import watched
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
    """Draw ``chains`` samples of the model, or the chains of a ``phase``, at ``columns`` and at ``frames`` moments.

    Without a ``phase`` these are the moments of `Model.sample`, from the start of its first chains to the sample. If
    its chains belong to several phases one after the other, each phase has an equal share of the moments. ``spacing``
    is that of the columns. Latent vectors z are drawn as g(z). ``condition`` [chains] is that of the chains. ``what``
    is the name of the component, for messages.
    """
    check_drawable(model.codec, what)
    if phase is None:
        few, many = _course(model, rng, chains, what, (columns, spacing), (frames, "even"), condition=condition)
    else:
        chosen = model.phase(phase)
        start, steps = start_of(chosen, chains, rng, what, condition), chosen.sampling_steps
        at = [moments(steps, columns, spacing), moments(steps, frames, "even")]
        seen = follow(chosen, start, rng, {*at[0], *at[1]}, model.device)
        few, many = ([model.as_events(seen[t], rng, condition) for t in times] for times in at)
    return ChainPictures(*([draw(model.codec, x, Batch(x, condition)) for x in events] for events in (few, many)))


def _course(
    model: Model, rng: torch.Generator, n: int, what: str, *wanted: tuple[int, Spacing], condition: Tree = None
) -> list[list[Tensor]]:
    """The events [n, *event] at so many moments of `Model.sample`, once per entry of ``wanted``.

    The samples are drawn twice with the same random numbers: to count the states, and to keep those at the moments.
    """
    latent = {name for name, drawn in model.trainer.draws.items() if drawn.space == "latent"}
    shown: list[tuple[str, int]] = []  # the phase and the number of a state; states on coarser grids are not shown
    passed = count()

    def look(name: str, x: Tensor) -> None:
        number = next(passed)
        if name in latent or not model.event.misfit(x):
            shown.append((name, number))

    before = rng.get_state()
    with watched(model.phases, look):
        model.sample(n, rng=rng, condition=condition)
    if not shown:
        raise UserError(f"{what}: {model.recipe.recipe} draws its samples without chains")
    stages = [[number for _, number in group] for _, group in groupby(shown, key=lambda entry: entry[0])]
    chosen = [
        [stage[t] for stage in stages for t in moments(len(stage) - 1, max(2, round(many / len(stages))), spacing)]
        for many, spacing in wanted
    ]
    kept, seen, passed = set().union(*chosen), dict[int, tuple[str, Tensor]](), count()

    def keep(name: str, x: Tensor) -> None:
        if (number := next(passed)) in kept:
            seen[number] = name, x.detach().to(model.device, copy=True)

    rng.set_state(before)
    with watched(model.phases, keep):
        sample = model.sample(n, rng=rng, condition=condition)
    events = {i: model.decode(x, rng, condition) if name in latent else x for i, (name, x) in sorted(seen.items())}
    events[stages[-1][-1]] = sample  # from which a last step may have removed noise
    return [[events[number] for number in each] for each in chosen]


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
