"""Maximum likelihood and players against closed forms."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from ebmsuite.builtin.examples import MLE_EXAMPLE
from ebmsuite.density import Gaussian
from ebmsuite.errors import RecipeError
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.experiment.train import train
from ebmsuite.learning import Optimiser, Players
from ebmsuite.learning.optimisers import adam, sgd
from ebmsuite.methods.mle import MaximumLikelihood
from ebmsuite.model import load
from ebmsuite.nets.mlp import Quadratic, mlp_energy
from ebmsuite.plugins.conformance import interrupted_run, same_end
from ebmsuite.plugins.registry import Registry
from ebmsuite.plugins.testing import rng, watched_by
from ebmsuite.sampling import Langevin, Noise, Phase
from ebmsuite.schedule import Schedule
from ebmsuite.space import Batch, Space


def test_the_gradient_on_an_exponential_family_is_the_difference_of_statistics() -> None:
    energy = Quadratic(Space((3,))).double()
    players = Players({"energy": energy}, {"energy": Optimiser(sgd, lr=1.0)})
    phase = Phase(energy, Langevin(step_size=0.3), Noise(Gaussian(Space((3,)))), 7)
    drawn = []
    draw = phase.draw
    phase.draw = lambda *a, **k: drawn.append(draw(*a, **k)) or drawn[-1]  # type: ignore[method-assign]
    before = {n: p.detach().clone() for n, p in energy.named_parameters()}
    data = Batch(torch.randn(50, 3, generator=rng(1), dtype=torch.float64) + 1)
    MaximumLikelihood(players, {"negative": phase}).step(0, {"data": data}, rng())
    x, s = data.x, drawn[0].x
    moved = {n: before[n] - p.detach() for n, p in energy.named_parameters()}
    # dE/da = x and dE/d log b = b x^2
    assert torch.allclose(moved["a"], x.mean(0) - s.mean(0))
    assert torch.allclose(moved["log_b"], 0.5 * (x.square().mean(0) - s.square().mean(0)))


@pytest.mark.slow
def test_an_energy_trained_on_a_gaussian_recovers_its_parameters(tmp_path: Path) -> None:
    mean, sd = 1.0, 0.5
    run = train(
        MLE_EXAMPLE, "budget.steps=3000", "budget.batch=400", "data.n=20000", "size=400", "fresh=0",
        "step_size=0.1", "negative.steps=10", "log.every=500", "ema=0.99", watched_by(),
        "energy.lr={start: 0.05, end: 1e-3, over: 3000, shape: exponential}", out=tmp_path / "run",
    )  # fmt: skip
    energy = load(run).players["energy"]
    a, b = energy.a.item(), energy.log_b.exp().item()
    # the chain of step h settles at precision p - h^2 p^2 / 4: what is learned is the p that gives the data's
    precision = 2 * b
    settled = precision - 0.1**2 / 4 * precision**2
    assert -a / precision == pytest.approx(mean, abs=0.03)
    assert 1 / math.sqrt(settled) == pytest.approx(sd, rel=0.05)


def players_of(**how) -> tuple[Quadratic, Players]:
    net = Quadratic(Space((2,)))
    return net, Players({"energy": net}, {"energy": Optimiser(**{"make": sgd, "lr": 1.0, **how})})


def test_update_takes_each_loss_for_its_own_player() -> None:
    one, two = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    players = Players({"one": one, "two": two}, {n: Optimiser(sgd, lr=1.0) for n in ("one", "two")})
    before = [p.detach().clone() for p in two.parameters()]
    x = torch.ones(4, 1)
    joint = two(one(x)).mean()
    expected = torch.autograd.grad(joint, list(one.parameters()), retain_graph=True)
    start = [p.detach().clone() for p in one.parameters()]
    logs = players.update({"one": joint, "two": 0.0 * joint})
    for p, s, g in zip(one.parameters(), start, expected, strict=True):
        assert torch.allclose(p, s - g)
    assert all(torch.equal(p, b) for p, b in zip(two.parameters(), before, strict=True))
    assert set(logs) == {"loss/one", "gradient/one", "loss/two", "gradient/two"}
    assert all(p.grad is None for p in one.parameters())


def test_clipping_warm_up_and_schedules() -> None:
    net, players = players_of(clip=0.5)
    players.update({"energy": 100 * net(torch.ones(1, 2)).sum()})
    moved = torch.cat([net.a.detach(), net.log_b.detach() - math.log(0.5)])
    assert moved.norm().item() == pytest.approx(0.5, rel=1e-4)
    _, players = players_of(lr=Schedule(1.0, 0.0, 100), warm_up=10)
    players.set_step(4)
    assert players.lr("energy") == pytest.approx(0.96 * 0.5)
    players.lr_factor = 0.5
    players.reset("energy")
    players.set_step(5)
    assert players.lr("energy") == pytest.approx(0.99 * 0.2 * 0.5)


def test_the_moving_average() -> None:
    net, players = players_of(ema=0.5)
    values = []
    for t in range(20):
        players.set_step(t)
        players.update({"energy": net(torch.full((1, 2), float(t))).sum()})
        values.append(net.a.detach().clone())
    expected = torch.zeros(2)
    for t, value in enumerate(values):
        decay = min(0.5, (1 + t) / (10 + t))
        expected = decay * expected + (1 - decay) * value
    assert torch.allclose(players.ema["energy"].a, expected, rtol=1e-4)


@pytest.mark.parametrize("make", [adam, lambda p: sgd(p, momentum=0.9)])
def test_the_state_of_optimisers_comes_back(make) -> None:
    def trained(steps: int, state=None, weights=None):
        torch.manual_seed(0)
        net = mlp_energy(Space((2,)), 8, 1)
        players = Players({"energy": net}, {"energy": Optimiser(make, lr=0.01)})
        if state is not None:
            net.load_state_dict(weights)
            players.restore_optimisers(state)
        for _ in range(steps):
            players.update({"energy": net(torch.ones(3, 2)).square().mean()})
        return net, players

    whole, _ = trained(6)
    half, players = trained(3)
    resumed, _ = trained(3, players.optimiser_state(), half.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


def steps_of(batches: list[torch.Tensor], accumulate: int, make=adam, **how) -> tuple[torch.nn.Module, Players]:
    torch.manual_seed(0)
    net = mlp_energy(Space((3,)), 8, 1).double()
    players = Players({"energy": net}, {"energy": Optimiser(make, accumulate=accumulate, **{"lr": 0.01, **how})})
    for t, batch in enumerate(batches):
        players.set_step(t)
        players.update({"energy": net(batch).square().mean()})
    return net, players


@pytest.mark.parametrize("make", [adam, lambda p: sgd(p, momentum=0.9)])
def test_accumulated_gradients_are_those_of_the_concatenated_batch(make) -> None:
    parts = list(torch.randn(12, 5, 3, generator=rng(1), dtype=torch.float64))
    whole = [torch.cat(parts[i : i + 4]) for i in range(0, 12, 4)]
    how = {"clip": 0.1, "ema": 0.9, "warm_up": 2, "lr": Schedule(0.05, 0.001, 3)}
    a, of_parts = steps_of(parts, 4, make, **how)
    b, of_whole = steps_of(whole, 1, make, **how)
    for x, y in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(x, y, rtol=1e-6, atol=1e-9)
    for x, y in zip(of_parts.ema["energy"].parameters(), of_whole.ema["energy"].parameters(), strict=True):
        torch.testing.assert_close(x, y, rtol=1e-6, atol=1e-9)
    assert of_parts.lr("energy") == of_whole.lr("energy")


def test_weights_wait_for_enough_gradients_and_a_reset_drops_those_that_wait() -> None:
    parts = list(torch.randn(3, 5, 3, generator=rng(1), dtype=torch.float64))
    start, _ = steps_of([], 4)
    net, players = steps_of(parts, 4)
    assert all(torch.equal(x, y) for x, y in zip(start.parameters(), net.parameters(), strict=True))
    assert players.waiting["energy"][1] == 3
    players.reset("energy")
    players.update({"energy": net(parts[0]).mean()})
    assert players.waiting["energy"][1] == 1
    players.restore_optimisers({})  # a rollback to a checkpoint at which none waited
    assert not players.waiting


@pytest.mark.parametrize("step", [5, 6, 10])
def test_a_run_resumes_in_the_middle_of_an_accumulation(step: int, tmp_path: Path) -> None:
    registry = Registry()
    registry.plugins.load_all()
    changes = ("energy.accumulate=3", "checkpoint.every=4", "log.every=4", "compute.fast=eager", watched_by("log"))
    recipe = read_recipe(MLE_EXAMPLE, registry, changes)
    whole = train(MLE_EXAMPLE, *changes, out=tmp_path / "whole", registry=registry)
    same_end(whole, interrupted_run(recipe, tmp_path / "parts", step, registry))


def test_the_number_of_accumulated_gradients_is_checked() -> None:
    with pytest.raises(RecipeError, match=r"optimisers.energy.accumulate: must be at least 1, got 0"):
        read_recipe(MLE_EXAMPLE, Registry(), ["energy.accumulate=0"])
