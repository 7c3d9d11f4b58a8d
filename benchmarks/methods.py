"""The energies of the benchmarks, the floor and the bare loop, and the suite's chains as users run them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ebmsuite.density import Uniform
from ebmsuite.energy import Energy, Tilted
from ebmsuite.sampling import FastPath, Phase, Proposal, Sampler, Start, run, target_of
from ebmsuite.sampling.fast import Mode
from ebmsuite.space import Batch, Space
from ebmsuite.tree import Tree

Work = Callable[[], object]


# -- energies --------------------------------------------------------------------------------------------------------


class Bowl(Energy):
    """|x|^2 / 2: so cheap that what is timed is everything else."""

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        return x.square().sum(1) / 2


def convnet(device: str) -> Tilted:
    """Three convolutions of stride 2 and a linear map on 1x28x28, 56,769 parameters."""
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3, 2, 1), nn.SiLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.SiLU(), nn.Conv2d(64, 64, 3, 2, 1),
        nn.SiLU(), nn.Flatten(), nn.Linear(1024, 1), nn.Flatten(0),
    )  # fmt: skip
    assert sum(p.numel() for p in net.parameters()) == 56_769
    return Tilted(net, Uniform(Space((1, 28, 28)))).to(device)


# -- what chains are compared with -----------------------------------------------------------------------------------


def path_of(energy: Energy, sampler: Sampler, x: Tensor, steps: int) -> list[Tensor]:
    """The points at which a chain from x evaluates the energy: those that it leaves."""
    visited = [x]
    rng = torch.Generator(x.device).manual_seed(0)
    run(sampler, target_of(energy, x), x, steps - 1, rng, lambda i, state, info: visited.append(state.x))
    return visited


def gradients(energy: Energy, points: Sequence[Tensor], noise: bool = False) -> Work:
    """The floor: forward and input gradient at these points, and nothing else, or else as many normal numbers."""

    def work() -> None:
        for x in points:
            x = x.detach().requires_grad_()
            torch.autograd.grad(energy(x).sum(), x)
            if noise:
                torch.randn_like(x)

    return work


def bare_loop(energy: Energy, x: Tensor, steps: int, w: float, n: float) -> Work:
    """x <- x - w dE/dx + n e, as one would write it."""

    def work() -> Tensor:
        state = x
        for _ in range(steps):
            state = state.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(energy(state).sum(), state)
            state = state.detach() - w * gradient + n * torch.randn_like(state)
        return state

    return work


def ours(energy: Energy, sampler: Sampler, x: Tensor, steps: int, fast: Mode = "eager") -> Work:
    """The suite's phase, drawn as in learning; its chains start at x."""
    phase = Phase(energy, sampler, Proposal(), steps, fast=FastPath(energy, fast))
    rng, batch, start = torch.Generator(x.device).manual_seed(0), Batch(x), Start(x)
    return lambda: phase.draw(batch, rng, proposal=start)


def just_run(energy: Energy, sampler: Sampler, x: Tensor, steps: int) -> Work:
    """`run` alone, without a phase."""
    rng = torch.Generator(x.device).manual_seed(0)
    return lambda: run(sampler, target_of(energy, x), x, steps, rng)
