"""What chains cost: evaluations of the energy, counted. Time is measured by benchmarks/langevin.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ebmsuite.energy import Energy
from ebmsuite.sampling import HMC, MALA, Descent, Langevin, Phase, Proposal, Sampler, Start
from ebmsuite.space import Batch

STEPS = 7


class Bowl(Energy):
    """|x|^2 / 2; counts its evaluations."""

    evaluations = 0

    def forward(self, x: Tensor, condition: object = None) -> Tensor:
        self.evaluations += 1
        return x.square().sum(1) / 2


@pytest.mark.parametrize(
    ("sampler", "evaluations"),
    [
        (Langevin(step_size=0.1), STEPS),
        (Descent(gradient_weight=0.1), STEPS),
        (MALA(0.1), STEPS + 1),  # a Metropolis test needs the energy at the start
        (HMC(0.1, leapfrog=3), 3 * STEPS + 1),
    ],
)
def test_a_chain_evaluates_the_energy_once_per_gradient(sampler: Sampler, evaluations: int) -> None:
    energy = Bowl()
    phase, x = Phase(energy, sampler, Proposal(), STEPS), torch.randn(5, 2)
    draw = phase.draw(Batch(x), torch.Generator().manual_seed(0), proposal=Start(x))
    assert energy.evaluations == evaluations
    assert draw.energy is not None  # reported without a further evaluation


@pytest.mark.parametrize(("sampler", "evaluations"), [(Langevin(step_size=0.1), STEPS), (MALA(0.1), STEPS + 1)])
def test_looking_on_costs_no_evaluation(sampler: Sampler, evaluations: int) -> None:
    energy, seen = Bowl(), []
    phase, x = Phase(energy, sampler, Proposal(), STEPS), torch.randn(5, 2)
    rng = torch.Generator().manual_seed(0)
    phase.sample(5, rng, proposal=Start(x), each=lambda i, state, info: seen.append(info.energy))
    assert energy.evaluations == evaluations
    assert len(seen) == STEPS


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="reads the resident memory that Linux reports")
def test_memory_does_not_grow_with_steps() -> None:
    pages: list[int] = []

    class Watched(Bowl):
        def forward(self, x: Tensor, condition: object = None) -> Tensor:
            pages.append(int(Path("/proc/self/statm").read_text().split()[1]))
            return super().forward(x, condition)

    x = torch.zeros(500, 1000)  # 2 MB: the 300 states of a chain that kept them would be 600
    phase = Phase(Watched(), Langevin(step_size=0.1), Proposal(), 300)
    phase.draw(Batch(x), torch.Generator().manual_seed(0), proposal=Start(x))
    grown = (max(pages[50:]) - max(pages[:50])) * 4096
    assert grown < 50e6, f"{grown / 1e6:.0f} MB more after 250 steps"
