"""A table of one energy of grids: the floor, a bare loop, and our Langevin chains in both memory layouts."""

from __future__ import annotations

import copy

import torch
from common import Method, Options, Table, paired, rows
from methods import bare_loop, gradients, ours, path_of

from ebmsuite.energy import Energy
from ebmsuite.sampling import Langevin
from ebmsuite.sampling.fast import channels_last_3d

FLOOR, BARE = "floor: forward + input gradient", "bare loop"


def compared(title: str, energy: Energy, x: torch.Tensor, steps: int, weight: float, opts: Options) -> Table:
    """The floor, a bare loop and our chains."""
    sampler, last = Langevin(gradient_weight=weight, noise_scale=0.01, clip=False), copy.deepcopy(energy)
    visited = path_of(energy, sampler, x, steps)
    methods = [
        Method(FLOOR, gradients(energy, visited), steps),
        Method(BARE, bare_loop(energy, x, steps, weight, 0.01), steps),
        Method("ours: langevin", ours(energy, sampler, x, steps), steps),
    ]
    if channels_last_3d(last, True):
        methods.append(Method("ours: langevin, channels_last_3d", ours(last, sampler, x, steps), steps))
    return Table(title, rows(methods, paired(methods, opts), FLOOR, BARE), note(energy))


def note(energy: Energy) -> str:
    return f"{sum(p.numel() for p in energy.parameters()):,} parameters."
