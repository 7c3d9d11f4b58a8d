"""The energies of the benchmarks, and the methods: the floor, a bare loop, and the chains of the suite."""

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
    """E(x) = |x|^2 / 2, which is so cheap that only the overhead is timed."""

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        return x.square().sum(1) / 2


def convnet(device: str) -> Tilted:
    """An energy on 1x28x28: three convolutions of stride 2 and a linear map, with 56,769 parameters."""
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3, 2, 1), nn.SiLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.SiLU(), nn.Conv2d(64, 64, 3, 2, 1),
        nn.SiLU(), nn.Flatten(), nn.Linear(1024, 1), nn.Flatten(0),
    )  # fmt: skip
    assert sum(p.numel() for p in net.parameters()) == 56_769
    return Tilted(net, Uniform(Space((1, 28, 28)))).to(device)


# -- methods to compare ----------------------------------------------------------------------------------------------


def path_of(energy: Energy, sampler: Sampler, x: Tensor, steps: int) -> list[Tensor]:
    """The points at which chains from x evaluate the energy, which are the states before each step."""
    visited = [x]
    rng = torch.Generator(x.device).manual_seed(0)
    run(sampler, target_of(energy, x), x, steps - 1, rng, lambda i, state, info: visited.append(state.x))
    return visited


def gradients(energy: Energy, points: Sequence[Tensor], noise: bool = False) -> Work:
    """The floor: only the forward pass and input gradient at these points, with ``noise`` also the random numbers."""

    def work() -> None:
        for x in points:
            x = x.detach().requires_grad_()
            torch.autograd.grad(energy(x).sum(), x)
            if noise:
                torch.randn_like(x)

    return work


def bare_loop(energy: Energy, x: Tensor, steps: int, w: float, n: float) -> Work:
    """The plain loop x <- x - w dE/dx + n e."""

    def work() -> Tensor:
        state = x
        for _ in range(steps):
            state = state.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(energy(state).sum(), state)
            state = state.detach() - w * gradient + n * torch.randn_like(state)
        return state

    return work


def ours(energy: Energy, sampler: Sampler, x: Tensor, steps: int, fast: Mode = "eager") -> Work:
    """A phase of the suite, used as in training, with chains that start at x."""
    phase = Phase(energy, sampler, Proposal(), steps, fast=FastPath(energy, fast))
    rng, batch, start = torch.Generator(x.device).manual_seed(0), Batch(x), Start(x)
    return lambda: phase.draw(batch, rng, proposal=start)


def just_run(energy: Energy, sampler: Sampler, x: Tensor, steps: int) -> Work:
    """The function `run` of the suite, without a phase."""
    rng = torch.Generator(x.device).manual_seed(0)
    return lambda: run(sampler, target_of(energy, x), x, steps, rng)
