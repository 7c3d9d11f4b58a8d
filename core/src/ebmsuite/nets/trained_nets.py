"""A net that another run has trained, as a player: ``{name: trained, run: PATH, player: NAME}``.

The suite completes such a player when a run begins: ``net`` becomes the architecture, from the recipe of the other run,
and ``digest`` identifies its weights. The weights are then part of the new run, which no longer needs the other one.
"""

from __future__ import annotations

from typing import TypeVar

from torch import nn

from ebmsuite.density import Density
from ebmsuite.energy import Energy
from ebmsuite.errors import RecipeError
from ebmsuite.generator import Generator

__all__ = ["trained_density", "trained_energy", "trained_generator"]

N = TypeVar("N", bound=nn.Module)


def trained_energy(
    run: str,
    player: str | None = None,
    checkpoint: str | int | None = None,
    frozen: bool = True,
    digest: str | None = None,
    net: Energy | None = None,
) -> Energy:
    """An energy of another run, with averaged weights if that run kept them.

    ``run`` is a run folder, ``player`` the player's name there (None: the same name as here). ``checkpoint`` is
    "best", a step, or None for the newest. If ``frozen`` it does not learn and needs no optimiser. Leave out ``digest``
    and ``net``; the run adds them.
    """
    return _net(net, frozen)


def trained_density(
    run: str,
    player: str | None = None,
    checkpoint: str | int | None = None,
    frozen: bool = True,
    digest: str | None = None,
    net: Density | None = None,
) -> Density:
    """A density, such as an encoder, of another run: see `trained_energy`."""
    return _net(net, frozen)


def trained_generator(
    run: str,
    player: str | None = None,
    checkpoint: str | int | None = None,
    frozen: bool = True,
    digest: str | None = None,
    net: Generator | None = None,
) -> Generator:
    """A generator of another run: see `trained_energy`."""
    return _net(net, frozen)


def _net(net: N | None, frozen: bool) -> N:
    if net is None:
        raise RecipeError("trained: the architecture is not known yet; train the recipe, which reads it from the run")
    return net.requires_grad_(False).eval() if frozen else net
