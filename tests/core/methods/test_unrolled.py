"""Recovery by descent on an energy: the exact optimum, gradients, and data that are masked twice."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ebmsuite.builtin.examples import UNROLLED_EXAMPLE
from ebmsuite.dataset import InMemory, first
from ebmsuite.energy import Clamped, Energy
from ebmsuite.errors import DataError, UserError
from ebmsuite.experiment.train import train
from ebmsuite.learning import Optimiser, Players
from ebmsuite.learning.optimisers import adam, sgd
from ebmsuite.masks import Random
from ebmsuite.methods.unrolled import UnrolledDescent
from ebmsuite.model import load
from ebmsuite.nets.filling import convnet_filling_energy
from ebmsuite.plugins.testing import rng, watched_by
from ebmsuite.sampling import Langevin, Phase
from ebmsuite.sampling.chains import Visible
from ebmsuite.space import Batch, Space
from ebmsuite.tree import Tree
from ebmsuite.wrapped import Masked

W = 0.25


class Pulled(Energy):
    """E = |a - x|^2 / 2."""

    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        return (x - self.a).square().flatten(1).sum(1) / 2


def trainer_of(energy: Energy, steps: int, error: str = "squared", how: Optimiser | None = None) -> UnrolledDescent:
    players = Players({"energy": energy}, {"energy": how or Optimiser(sgd, lr=1.0)})
    sampler = Langevin(gradient_weight=W, noise_scale=0.0)
    return UnrolledDescent(players, {"recovered": Phase(Clamped(energy), sampler, Visible(), steps)}, error=error)  # type: ignore[arg-type]


def data_of(x: Tensor, hidden: Tensor, known: Tensor | None = None) -> Batch:
    return Batch(x, Clamped.given(x * ~hidden, ~hidden), known=known)


def test_the_error_is_differentiated_through_all_steps() -> None:
    """From x_0, K steps give x_K = a + (1 - w)^K (x_0 - a); the squared error has a closed gradient."""
    energy, hidden = Pulled(), torch.tensor([[False, True, True]])
    x = torch.tensor([[1.0, 2.0, -3.0]])
    logs = trainer_of(energy, 3).step(0, {"data": data_of(x, hidden)}, rng())
    begun = 1.0  # the mean of the visible coordinates
    left = (1 - W) ** 3
    end = 0.5 + left * (begun - 0.5)
    gradient = ((end - x[:, 1:]) * 2 * (1 - left)).mean()
    assert float(energy.a.detach()) == pytest.approx(0.5 - float(gradient), abs=1e-6)
    assert float(logs["error"]) == pytest.approx(float((end - x[:, 1:]).abs().mean()))
    assert float(logs["error/start"]) == pytest.approx(float((begun - x[:, 1:]).abs().mean()))


def test_coordinates_that_the_data_do_not_know_are_not_judged() -> None:
    energy, hidden = Pulled(), torch.tensor([[False, True, True]])
    known = torch.tensor([[True, True, False]])
    x = torch.tensor([[1.0, 2.0, 1e6]])
    logs = trainer_of(energy, 1).step(0, {"data": data_of(x, hidden, known)}, rng())
    assert float(logs["error/start"]) == pytest.approx(1.0)
    with pytest.raises(DataError, match="hide no coordinate that the data know"):
        trainer_of(energy, 1).step(0, {"data": data_of(x, ~known, known)}, rng())
    before = float(energy.a.detach())
    logs = trainer_of(energy, 1).step(1, {"data": data_of(x, ~known, known)}, rng())  # by chance, in a later batch
    assert float(logs["error"]) == 0
    assert float(energy.a.detach()) == before
    with pytest.raises(DataError, match="given: condition"):
        trainer_of(energy, 1).step(0, {"data": Batch(x, known=known)}, rng())


def test_data_that_are_masked_twice_hide_a_further_part_in_every_epoch() -> None:
    x = torch.randn(4, 1, 200, generator=rng())
    once = Masked(InMemory(x), (Random(hidden=0.5),))
    twice = Masked(once, (Random(hidden=0.5),), given="condition")
    seen = [twice.batch(torch.arange(4), torch.full((4,), seed)) for seed in (0, 1)]
    for batch in seen:
        assert batch.known is not None
        assert torch.equal(batch.known, first(once).known)
        further = batch.known & ~batch.condition["known"]
        assert 0.15 < float(further.double().mean()) < 0.35  # a quarter
        assert not bool((batch.condition["known"] & ~batch.known).any())
        assert torch.equal(batch.truth, x)
    assert not torch.equal(seen[0].condition["known"], seen[1].condition["known"])


@pytest.mark.slow
def test_an_energy_learns_to_interpolate_and_recovers_what_the_data_never_show() -> None:
    """Waves of one frequency, a third of each never seen: descent from the mean comes near the truth."""
    phase = 6.3 * torch.rand(64, 1, 1, generator=rng())
    truth = torch.sin(0.6 * torch.arange(24.0) + phase)
    once = Masked(InMemory(truth), (Random(hidden=0.35),))
    twice = Masked(once, (Random(hidden=0.35),), given="condition")
    energy = convnet_filling_energy(Space((1, 24)), (24, 24), (7, 5), (1, 1))
    trainer = trainer_of(energy, 3, "absolute", Optimiser(adam, lr=0.004))
    for t in range(150):
        trainer.step(t, {"data": twice.batch(torch.arange(64), torch.full((64,), t))}, rng(t))
    batch = first(twice)
    found = trainer.recover(batch, rng())
    hidden = ~batch.known
    assert torch.equal(found[batch.known], truth[batch.known])
    start = (found * 0 + truth[batch.known].mean() - truth)[hidden].abs().mean()
    assert float((found - truth)[hidden].abs().mean()) < 0.4 * float(start)


def test_an_energy_of_the_mask_must_be_clamped() -> None:
    energy = convnet_filling_energy(Space((1, 8)), (4,), 3, 1)
    x, known = torch.randn(2, 1, 8), torch.rand(2, 1, 8) < 0.5
    assert (Clamped(energy)(x, Clamped.given(x, known)) - Clamped(energy)(x, Clamped.given(x, ~known))).abs().min() > 0
    with pytest.raises(UserError, match="use it as a clamped energy"):
        energy(x)


def test_a_run_recovers_after_loading(tmp_path: Path) -> None:
    run = train(UNROLLED_EXAMPLE, "budget.steps=3", watched_by(), out=tmp_path / "run")
    model = load(run)
    batch = Batch(torch.ones(2, 1, 8), known=torch.arange(16).view(2, 1, 8) % 3 > 0)
    found = model.trainer.recover(batch, rng())
    assert torch.equal(found[batch.known], batch.x[batch.known])
