"""Langevin, chains and phases against what is known exactly."""

from __future__ import annotations

import math

import pytest
import torch

from ebmsuite.density import Gaussian, Uniform
from ebmsuite.energy import Clamped, Energy
from ebmsuite.errors import RecipeError
from ebmsuite.nets.mlp import Quadratic, mlp_energy
from ebmsuite.plugins.testing import rng
from ebmsuite.sampling import (
    Augmentation,
    Buffer,
    Data,
    Langevin,
    Memory,
    Noise,
    Phase,
    Proposal,
    Start,
    run,
    target_of,
)
from ebmsuite.space import Batch, Space


class Correlated(Energy):
    """N(m, C) in two dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.m = torch.tensor([1.0, -2.0])
        self.C = torch.tensor([[1.0, 0.6], [0.6, 0.8]])
        self.P = torch.linalg.inv(self.C)

    def forward(self, x, condition=None):
        d = x - self.m
        return (d @ self.P * d).sum(1) / 2


def test_langevin_reaches_the_mean_and_covariance_of_a_gaussian() -> None:
    energy, h, n = Correlated(), 0.2, 40_000
    x = torch.zeros(n, 2)
    state, _ = run(Langevin(step_size=h), target_of(energy, x), x, 300, rng())
    x = state.x
    # the chain is a Gaussian AR(1): its own stationary covariance is (P - h^2/4 P^2)^-1
    exact = torch.linalg.inv(energy.P - h**2 / 4 * energy.P @ energy.P)
    error = 5 / math.sqrt(n)
    assert (x.mean(0) - energy.m).abs().max() < error
    assert (torch.cov(x.T) - exact).abs().max() < 2 * error
    assert (exact - energy.C).abs().max() < 0.02  # the bias of the step itself


def test_clamped_coordinates_stay_and_the_rest_follow_the_conditional() -> None:
    energy, n = Clamped(Correlated()), 40_000
    values, known = torch.tensor([[2.0, 0.0]]).expand(n, 2), torch.tensor([[True, False]]).expand(n, 2)
    condition = Clamped.given(values, known)
    x = energy.place(torch.zeros(n, 2), condition)
    state, _ = run(Langevin(step_size=0.2), target_of(energy, x, condition), x, 300, rng())
    assert torch.equal(state.x[:, 0], values[:, 0])
    mean, variance = -2.0 + 0.6 * (2.0 - 1.0), 0.8 - 0.36
    assert state.x[:, 1].mean().item() == pytest.approx(mean, abs=5 * math.sqrt(variance / n))
    assert state.x[:, 1].var().item() == pytest.approx(variance, rel=0.05)


def test_the_numbers_of_langevin() -> None:
    assert Langevin(step_size=0.1).weights() == pytest.approx((0.005, 0.1))
    assert Langevin(step_size=0.1, temperature=0.25).weights() == pytest.approx((0.005, 0.05))
    assert Langevin(gradient_weight=1.0, noise_scale=0.01).weights() == (1.0, 0.01)
    assert Langevin(step_size=0.1, gradient_weight=2.0).weights() == (2.0, 0.1)
    with pytest.raises(ValueError, match="temperature and noise_scale"):
        Langevin(step_size=0.1, temperature=1.0, noise_scale=0.1)
    with pytest.raises(ValueError, match="give step_size"):
        Langevin(gradient_weight=1.0)


def test_a_step_costs_one_gradient_and_gives_the_energy_before_it() -> None:
    calls = []

    class Counted(Energy):
        def forward(self, x, condition=None):
            calls.append(x.detach().clone())
            return x.square().sum(1)

    x = torch.ones(3, 2)
    seen = []
    run(Langevin(step_size=0.1), target_of(Counted(), x), x, 4, rng(), lambda i, s, info: seen.append(info.energy))
    assert len(calls) == 4
    assert torch.allclose(torch.stack(seen), torch.stack([c.square().sum(1) for c in calls]))


def test_same_seed_same_chain_in_both_precisions() -> None:
    for dtype in (torch.float32, torch.float64):
        x = torch.zeros(5, 2, dtype=dtype)
        energy = Quadratic(Space((2,))).to(dtype)
        ends = [run(Langevin(step_size=0.1), target_of(energy, x), x, 9, rng(3))[0].x for _ in range(2)]
        assert torch.equal(*ends)
        assert ends[0].dtype == dtype


@pytest.mark.parametrize("graph", [1, 3, 5])
def test_differentiating_through_a_chain_equals_finite_differences(graph: int) -> None:
    """With the noise held; fewer kept steps than the chain has hold the earlier ones constant."""
    torch.manual_seed(0)
    energy = mlp_energy(Space((2,)), 8, 1, reference_sd=1.0).double()
    parameter = energy.net[1][0].weight
    batch = Batch(torch.zeros(6, 2, dtype=torch.float64))
    phase = Phase(energy, Langevin(step_size=0.3), Proposal(), 5)
    start = torch.randn(6, 2, dtype=torch.float64, generator=rng(1))

    def split(value: torch.Tensor | None) -> torch.Tensor:
        # the first steps with the weights as they are, the kept ones with the changed weights
        generator = rng(2)
        x = phase.refine(Start(start), generator, 5 - graph) if graph < 5 else start
        if value is not None:
            with torch.no_grad():
                parameter.copy_(value)
        return phase.refine(Start(x), generator, graph).square().sum()

    draw = phase.draw(batch, rng(2), proposal=Start(start), graph=graph)
    (gradient,) = torch.autograd.grad(draw.x.square().sum(), parameter)
    before, h = parameter.detach().clone(), 1e-6
    for i, j in [(0, 0), (3, 1), (7, 0)]:
        step = torch.zeros_like(before)
        step[i, j] = h
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.copy_(before)
            ends.append(split(before + sign * step))
        with torch.no_grad():
            parameter.copy_(before)
        assert gradient[i, j].item() == pytest.approx(((ends[0] - ends[1]) / (2 * h)).item(), rel=1e-4, abs=1e-7)


def test_a_whole_chain_is_differentiable_in_its_start() -> None:
    energy = Gaussian(Space((2,)))
    start = torch.ones(3, 2, requires_grad=True)
    phase = Phase(energy, Langevin(step_size=0.5), Proposal(), 4)
    draw = phase.draw(Batch(torch.zeros(3, 2)), rng(), proposal=Start(start), graph=4)
    (gradient,) = torch.autograd.grad(draw.x.sum(), start)
    assert torch.allclose(gradient, torch.full((3, 2), (1 - 0.125) ** 4))


def test_nets_are_in_eval_mode_while_chains_run_and_come_back() -> None:
    modes = []

    class Watching(Energy):
        def __init__(self) -> None:
            super().__init__()
            self.dropout = torch.nn.Dropout()

        def forward(self, x, condition=None):
            modes.append(self.dropout.training)
            return x.square().sum(1)

    energy = Watching()
    Phase(energy, Langevin(step_size=0.1), Noise(Gaussian(Space((2,)))), 2).sample(3, rng())
    training = Phase(energy, Langevin(step_size=0.1), Noise(Gaussian(Space((2,)))), 1, "train")
    training.draw(Batch(torch.zeros(3, 2)), rng())
    training.sample(3, rng())  # a model in use has no dropout, whatever it learned with
    assert modes == [False, False, True, False]
    assert energy.training


# -- chains --------------------------------------------------------------------------------------------------------

EVENT = Space((2,))
BATCH = Batch(torch.arange(8.0).view(4, 2), condition=torch.arange(4), index=torch.tensor([5, 0, 3, 2]))


def test_noise_and_data() -> None:
    noise = Noise(Uniform(EVENT)).start(4, rng(), BATCH, BATCH.condition)
    assert noise.x.shape == (4, 2)
    assert torch.equal(noise.condition, BATCH.condition)
    assert torch.equal(Data().start(4, rng(), BATCH).x, BATCH.x)
    assert not torch.equal(Data(0.1).start(4, rng(), BATCH).x, BATCH.x)
    with pytest.raises(RecipeError, match="there are no examples outside learning"):
        Data().start(4, rng())
    with pytest.raises(RecipeError, match="gives no starts"):
        Proposal().start(4, rng(), BATCH)


def test_a_buffer_goes_on_where_it_was_and_gives_its_own_conditions() -> None:
    buffer = Buffer(Gaussian(EVENT), size=4, fresh=0.0)
    first = buffer.start(4, rng(0), BATCH, BATCH.condition)
    buffer.keep(first, first.x + 100)
    later = buffer.start(4, rng(1), BATCH, torch.full((4,), 9))
    assert later.x.min() > 50
    assert sorted(later.condition.tolist()) == sorted(first.condition.tolist())
    by_condition = dict(zip(first.condition.tolist(), (first.x + 100).tolist(), strict=True))
    for c, x in zip(later.condition.tolist(), later.x.tolist(), strict=True):
        assert by_condition[c] == x
    again = Buffer(Gaussian(EVENT), size=4, fresh=0.0)
    again.restore(buffer.state(), torch.device("cpu"))
    nine = torch.full((4,), 9)
    assert torch.equal(again.start(4, rng(2), BATCH, nine).x, buffer.start(4, rng(2), BATCH, nine).x)
    with pytest.raises(RecipeError, match="4 chains per process are too few for a batch of 5"):
        buffer.start(5, rng(), BATCH, torch.zeros(5))


def test_a_buffer_renews_its_chains_at_the_rate_asked_for() -> None:
    buffer = Buffer(Gaussian(EVENT), size=20_000, fresh=0.25)
    start = buffer.start(20_000, rng(), BATCH)
    buffer.keep(start, torch.full_like(start.x, 100.0))
    renewed = (buffer.start(20_000, rng(1), BATCH).x.max(1).values < 50).float().mean().item()
    assert renewed == pytest.approx(0.25, abs=5 * math.sqrt(0.25 * 0.75 / 20_000))


def test_a_buffer_takes_the_condition_of_the_batch_with_a_fresh_chain() -> None:
    buffer = Buffer(Gaussian(EVENT), size=4, fresh=1.0)
    buffer.start(4, rng(), BATCH, BATCH.condition)
    assert torch.equal(buffer.start(4, rng(), BATCH, torch.full((4,), 9)).condition, torch.full((4,), 9))


def test_a_buffer_passes_kept_chains_through_its_augmentation() -> None:
    class Negate(Augmentation):
        def __call__(self, x, rng):
            return -x

    buffer = Buffer(Gaussian(EVENT), size=4, fresh=0.0, augment=Negate())
    start = buffer.start(4, rng(), BATCH)
    buffer.keep(start, torch.full_like(start.x, 3.0))
    assert torch.equal(buffer.start(4, rng(), BATCH).x, torch.full((4, 2), -3.0))


def test_a_memory_has_a_chain_for_every_example() -> None:
    memory = Memory(Gaussian(EVENT), examples=6)
    start = memory.start(4, rng(), BATCH)
    memory.keep(start, BATCH.x)
    other = Batch(torch.zeros(3, 2), index=torch.tensor([0, 1, 2]))
    later = memory.start(3, rng(1), other)
    assert torch.equal(later.x[0], BATCH.x[1])
    assert torch.equal(later.x[2], BATCH.x[3])
    assert later.x[1].abs().max() < 6  # never seen: from the density
    with pytest.raises(RecipeError, match="numbers its examples"):
        memory.start(4, rng(), Batch(BATCH.x))


def test_samples_outside_learning_keep_nothing() -> None:
    phase = Phase(Gaussian(EVENT), Langevin(step_size=0.1), Buffer(Gaussian(EVENT), size=8), 3)
    phase.draw(BATCH, rng(), BATCH.condition)
    before = {k: v.clone() for k, v in phase.chains.state().items()}
    assert phase.sample(20, rng(), torch.zeros(20, dtype=torch.long)).shape == (20, 2)
    assert all(torch.equal(v, phase.chains.state()[k]) for k, v in before.items())


# -- samples outside learning ------------------------------------------------------------------------------------


def kept_far_apart(n: int = 40) -> tuple[Phase, Buffer]:
    """A bank of chains on a bowl, at places that its start would never give."""
    buffer = Buffer(Gaussian(Space((3,))), size=n, burn_in=7)
    buffer.restore({"x": 100 + torch.randn(n, 3)}, torch.device("cpu"))
    return Phase(Gaussian(Space((3,))), Langevin(step_size=0.5), buffer, 5), buffer


def test_samples_of_a_model_with_persistent_chains_are_independent_across_seeds() -> None:
    phase, buffer = kept_far_apart()
    before = buffer.x.clone()
    one, two = (phase.sample(400, rng(s)) for s in (0, 1))
    # more samples than chains, and none is a copy of another or of a chain
    assert torch.cdist(one, one).fill_diagonal_(9).min() > 1e-4
    assert torch.cdist(one, two).min() > 1e-4
    correlation = torch.corrcoef(torch.stack([one.flatten(), two.flatten()]))[0, 1]
    assert abs(correlation) < 0.1  # 3 standard errors of 1,200 numbers; it was 0.95 when chains were shared
    assert one.abs().max() < 20
    assert torch.equal(buffer.x, before)


def test_new_chains_of_a_bank_run_its_burn_in() -> None:
    phase, _ = kept_far_apart()
    assert phase.sampling_steps == 35
    seen: list[int] = []
    phase.sample(2, rng(), each=lambda i, state, info: seen.append(i))
    assert len(seen) == 35
    seen.clear()
    phase.sample(2, rng(), steps=3, each=lambda i, state, info: seen.append(i))
    assert len(seen) == 3


def test_new_chains_of_a_memory_run_its_burn_in_and_those_of_learning_do_not() -> None:
    space = Space((3,))
    memory = Memory(Gaussian(space), examples=2, chains=2, burn_in=4)
    phase = Phase(Gaussian(space), Langevin(step_size=0.5), memory, 5)
    seen: list[int] = []
    phase.sample(3, rng(), each=lambda i, state, info: seen.append(i))
    assert len(seen) == 20
    # a learning step moves each chain by 5 steps of its noise: without a gradient, its variance is known
    free = Phase(Gaussian(space), Langevin(gradient_weight=0.0, noise_scale=1.0), memory, 5)
    memory.restore({"x": torch.zeros(4, 3), "seen": torch.ones(4, dtype=torch.bool)}, torch.device("cpu"))
    moved = free.draw(Batch(torch.zeros(2, 3), index=torch.arange(2)), rng()).x
    assert 1 < float(moved.square().mean()) < 15  # 5; 20 with the burn-in
    with pytest.raises(RecipeError, match="burn_in"):
        Memory(Gaussian(space), burn_in=0)


def test_new_chains_take_the_conditions_of_kept_ones() -> None:
    buffer = Buffer(Gaussian(Space((1,))), size=10)
    buffer.restore({"x": torch.zeros(10, 1), "condition": torch.tensor([3] * 9 + [5])}, torch.device("cpu"))
    start = buffer.start(5000, rng())
    assert set(start.condition.tolist()) == {3, 5}
    assert (start.condition == 3).float().mean() == pytest.approx(0.9, abs=0.02)


def test_diagnosis_continues_different_kept_chains() -> None:
    _, buffer = kept_far_apart(40)
    start = buffer.continued(40, rng())
    assert torch.equal(start.x.sort(0).values, buffer.x.sort(0).values)
    assert buffer.continued(41, rng()) is None
