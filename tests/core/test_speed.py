"""What chains may cost: ratios to their floor, taken within interleaved rounds, with room for a loaded machine.

The goals (measured by benchmarks/langevin.py on a quiet machine) are 1.05 of the floor and 30 us a step; what fails
here is far beyond them in the best of three attempts: a step that evaluates twice, or a slow one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ebmsuite.density import Uniform
from ebmsuite.energy import Energy, Tilted
from ebmsuite.sampling import MALA, Langevin, Phase, Proposal, Sampler, Start, run, target_of
from ebmsuite.space import Batch, Space
from ebmsuite.toy.densities import eight_gaussians

SLACK = 1.25
"""Largest ratio to the floor; the goal is 1.05."""
OVERHEAD = 60e-6
"""Most seconds a step above the gradient; the goal is 30e-6."""
ATTEMPTS = 3

pytestmark = pytest.mark.usefixtures("one_thread")

Work = Callable[[], object]


class Bowl(Energy):
    """|x|^2 / 2; counts its evaluations."""

    evaluations = 0

    def forward(self, x: Tensor, condition: object = None) -> Tensor:
        self.evaluations += 1
        return x.square().sum(1) / 2


def chain(energy: Energy, sampler: Sampler, x: Tensor, steps: int) -> Work:
    """As learning draws it, from x."""
    phase, batch, start = Phase(energy, sampler, Proposal(), steps), Batch(x), Start(x)
    rng = torch.Generator().manual_seed(0)
    return lambda: phase.draw(batch, rng, proposal=start)


def floor(energy: Energy, sampler: Sampler, x: Tensor, steps: int) -> Work:
    """Forward and input gradient at the points that a chain from x leaves."""
    points = [x]
    rng = torch.Generator().manual_seed(0)
    run(sampler, target_of(energy, x), x, steps - 1, rng, lambda i, state, info: points.append(state.x))

    def work() -> None:
        for point in points:
            point = point.detach().requires_grad_()
            torch.autograd.grad(energy(point).sum(), point)

    return work


def seconds(work: Work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def interleaved(first: Work, second: Work, rounds: int) -> list[tuple[float, float]]:
    """Seconds of both, round by round, each first in every other one."""
    first(), second()
    pairs = []
    for number in range(rounds):
        if number % 2:
            b, a = seconds(second), seconds(first)
        else:
            a, b = seconds(first), seconds(second)
        pairs.append((a, b))
    return pairs


def best_of_attempts(measure: Callable[[], float], limit: float) -> float:
    """The smallest of up to three measurements; the first that is within the limit ends it."""
    best = float("inf")
    for _ in range(ATTEMPTS):
        best = min(best, measure())
        if best <= limit:
            break
    return best


def small_convnet() -> Tilted:
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1), nn.SiLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.SiLU(), nn.Flatten(),
        nn.Linear(32 * 49, 1), nn.Flatten(0),
    )  # fmt: skip
    return Tilted(net, Uniform(Space((1, 28, 28))))


@pytest.mark.parametrize("case", ["mixture", "convnet"])
def test_langevin_costs_its_gradients(case: str) -> None:
    rng = torch.Generator().manual_seed(0)
    if case == "mixture":
        energy, sampler, steps, rounds = eight_gaussians(), Langevin(step_size=0.05), 10, 40
        x = energy.sample(2000, rng)
    else:
        energy, sampler, steps, rounds = small_convnet(), Langevin(gradient_weight=1.0, noise_scale=0.01), 5, 40
        x = torch.rand((16, 1, 28, 28), generator=rng) * 2 - 1
    ours, least = chain(energy, sampler, x, steps), floor(energy, sampler, x, steps)

    def measure() -> float:
        return statistics.median(a / b for a, b in interleaved(ours, least, rounds))

    found = best_of_attempts(measure, SLACK)
    assert found <= SLACK, f"{found:.2f} x its floor; the goal is 1.05"


def test_a_step_adds_little_to_a_gradient() -> None:
    # short runs, of which some are not interrupted whatever else the machine does
    energy, sampler, steps, rounds = Bowl(), Langevin(step_size=0.1), 40, 80
    x = torch.randn(16, 2)
    ours, least = chain(energy, sampler, x, steps), floor(energy, sampler, x, steps)

    def measure() -> float:
        pairs = interleaved(ours, least, rounds)
        return (min(a for a, _ in pairs) - min(b for _, b in pairs)) / steps

    found = best_of_attempts(measure, OVERHEAD)
    assert found <= OVERHEAD, f"{1e6 * found:.0f} us a step above the gradient; the goal is 30"


@pytest.mark.parametrize(("sampler", "evaluations"), [(Langevin(step_size=0.1), 7), (MALA(0.1), 8)])
def test_energies_come_with_the_gradients(sampler: Sampler, evaluations: int) -> None:
    energy, told = Bowl(), []
    phase, x = Phase(energy, sampler, Proposal(), 7), torch.randn(5, 2)
    rng = torch.Generator().manual_seed(0)
    draw = phase.draw(Batch(x), rng, proposal=Start(x))
    assert energy.evaluations == evaluations
    assert draw.energy is not None
    phase.sample(5, rng, proposal=Start(x), each=lambda i, state, info: told.append(info.energy))
    assert energy.evaluations == 2 * evaluations
    assert len(told) == 7


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="reads the resident memory where Linux tells it")
def test_memory_does_not_grow_with_steps() -> None:
    pages: list[int] = []

    class Watched(Bowl):
        def forward(self, x: Tensor, condition: object = None) -> Tensor:
            pages.append(int(Path("/proc/self/statm").read_text().split()[1]))
            return super().forward(x, condition)

    x = torch.zeros(500, 1000)  # 2 MB: the 300 states of a chain that kept them would be 600
    chain(Watched(), Langevin(step_size=0.1), x, 300)()
    grown = (max(pages[50:]) - max(pages[:50])) * 4096
    assert grown < 50e6, f"{grown / 1e6:.0f} MB more after 250 steps"
