"""Learning by telling data from noise: against finite differences, closed forms, and densities of flows on grids."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ebmsuite.builtin.examples import FCE_EXAMPLE, NCE_EXAMPLE
from ebmsuite.density import Density, Diagonal, Gaussian
from ebmsuite.errors import MissingData, RecipeError
from ebmsuite.experiment.train import train
from ebmsuite.learning import Optimiser, Players
from ebmsuite.learning.optimisers import sgd
from ebmsuite.methods.fce import FlowContrast
from ebmsuite.methods.nce import NoiseContrast
from ebmsuite.model import load
from ebmsuite.nets.mlp import Constant, Quadratic
from ebmsuite.plugins.testing import rng, watched_by
from ebmsuite.space import Batch, Space

LINE = Space((1,))
PLAIN = Optimiser(sgd, lr=1.0)


def moved(players: Players, step: Callable[[], object]) -> dict[str, float]:
    """How far one step of plain descent at rate 1 moves every parameter: minus its gradient."""
    named = {f"{k}.{n}": p for k in players for n, p in players[k].named_parameters()}
    before = {n: p.detach().clone() for n, p in named.items()}
    step()
    return {n: float((before[n] - p.detach()).sum()) for n, p in named.items()}


def differences(players: Players, value: Callable[[], Tensor], h: float = 1e-6) -> dict[str, float]:
    """Central differences of ``value`` in every parameter."""
    found = {}
    for k in players:
        for n, p in players[k].named_parameters():
            with torch.no_grad():
                p += h
                high = float(value())
                p -= 2 * h
                low = float(value())
                p += h
            found[f"{k}.{n}"] = (high - low) / (2 * h)
    return found


def pair(**more: nn.Module) -> Players:
    nets = {"energy": Quadratic(LINE).double(), "log_z": Constant(0.3).double(), **more}
    return Players(nets, dict.fromkeys(nets, PLAIN))


def shares(players: Players, q: Density, data: Tensor, noise: Tensor, nu: float) -> Tensor:
    """E_data[log p / (p + nu q)] + nu E_q[log nu q / (p + nu q)], as it is written."""

    def p(x: Tensor) -> Tensor:
        return (-players["energy"](x) - players["log_z"](x)).exp()

    def nq(x: Tensor) -> Tensor:
        return nu * q.log_prob(x).exp()

    on_data, on_noise = p(data) / (p(data) + nq(data)), nq(noise) / (p(noise) + nq(noise))
    return on_data.log().mean() + nu * on_noise.log().mean()


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0])
def test_the_gradient_is_that_of_the_logistic_regression(ratio: float) -> None:
    players, q = pair(), Gaussian(LINE, sd=1.5)
    x = torch.randn(40, 1, generator=rng(1), dtype=torch.float64) + 1
    noise = q.sample(round(40 * ratio), rng()).double()
    expected = differences(players, lambda: -shares(players, q, x, noise, ratio))
    trainer = NoiseContrast(players, {}, noise=q, ratio=ratio)
    found = moved(players, lambda: trainer.step(0, {"data": Batch(x)}, rng()))
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_a_normalised_energy_is_the_fixed_point(tmp_path: Path) -> None:
    """Data N(1, 1), noise N(0, 2^2): E = a x + b x^2 with a = -1, b = 1/2, and c = log Z of what was learned."""
    run = train(
        NCE_EXAMPLE, "data.data={name: normal, n: 40000, mean: 1.0}", "players.energy={name: quadratic}",
        "trainer={name: nce, noise: {name: gaussian, sd: 2}, ratio: 2}", "budget={steps: 1000, batch: 500}",
        "energy.lr={start: 0.03, end: 1e-3, over: 1000, shape: exponential}", "energy.ema=0.99",
        "log_z.lr={start: 0.03, end: 1e-3, over: 1000, shape: exponential}", "log_z.ema=0.99", watched_by(),
        out=tmp_path / "run",
    )  # fmt: skip
    model = load(run)
    data, energy = model.data["train"].x, model.players["energy"]
    a, b = energy.a.item(), energy.log_b.exp().item()
    assert -a / (2 * b) == pytest.approx(data.mean().item(), abs=0.03)
    assert 1 / math.sqrt(2 * b) == pytest.approx(data.std().item(), abs=0.03)
    log_z = math.log(math.pi / b) / 2 + a * a / (4 * b)
    assert model.players["log_z"].value.item() == pytest.approx(log_z, rel=0.02)


def test_the_condition_reaches_energy_noise_and_constant() -> None:
    """More noise samples than examples: every sample of the noise has the condition of an example."""
    seen: dict[str, list[list[float]]] = {"energy": [], "log_z": [], "noise": []}

    class Shifted(Gaussian):
        def sample(self, n: int, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
            return super().sample(n, rng) + condition

        def log_prob(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
            seen["noise"].append(condition.flatten().tolist())
            return Gaussian(LINE).log_prob(x - condition)

    class Watching(Quadratic):
        def __init__(self, name: str) -> None:
            super().__init__(LINE)
            self.called = name

        def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
            seen[self.called].append(condition.flatten().tolist())
            return super().forward(x)

    nets = {"energy": Watching("energy"), "log_z": Watching("log_z")}
    trainer = NoiseContrast(Players(nets, dict.fromkeys(nets, PLAIN)), {}, noise=Shifted(LINE), ratio=2.5)
    trainer.step(0, {"data": Batch(torch.zeros(2, 1), torch.tensor([[1.0], [2.0]]))}, rng())
    assert set(seen) == {"energy", "log_z", "noise"}
    assert all(v == [[1.0, 2.0], [1.0, 2.0, 1.0, 2.0, 1.0]] for v in seen.values())


@pytest.mark.parametrize(
    ("example", "change", "text"),
    [
        (NCE_EXAMPLE, "trainer.ratio=0", "trainer.ratio: noise samples per example"),
        (FCE_EXAMPLE, "trainer.threshold=0.2", "trainer.threshold: must be at least 0.5"),
    ],
)
def test_wrong_settings_are_one_error(example: dict[str, object], change: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=text):
        train(example, change, out=tmp_path / "run")


# -- flow contrastive estimation ----------------------------------------------------------------------------------


def versus(accuracy: float, **settings: float) -> tuple[FlowContrast, Players]:
    flow = Diagonal(LINE).double()
    players = pair(flow=flow)
    draw = flow.sample
    flow.sample = lambda n, rng, condition=None: draw(n, rng).double()  # type: ignore[method-assign]
    trainer = FlowContrast(players, {}, flow_first=0, energy_first=0, **settings)
    trainer.accuracy = torch.tensor(accuracy)
    return trainer, players


@pytest.mark.parametrize("turn", ["energy", "flow"])
def test_each_side_follows_its_own_gradient_of_the_value(turn: str) -> None:
    trainer, players = versus(0.7 if turn == "flow" else 0.5)
    x = torch.randn(40, 1, generator=rng(1), dtype=torch.float64) + 1

    def value() -> Tensor:
        samples = players["flow"].sample(40, rng())
        return shares(players, players["flow"], x, samples, 1.0)

    sign = 1 if turn == "flow" else -1
    expected = {k: sign * v if k.startswith("flow") == (turn == "flow") else 0.0
                for k, v in differences(players, value).items()}  # fmt: skip
    found = moved(players, lambda: trainer.step(0, {"data": Batch(x)}, rng()))
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize("flow_first", [0, 1])
def test_flow_and_energy_learn_from_noised_examples(flow_first: int) -> None:
    trainer, players = versus(0.5, data_noise=0.3)
    trainer.flow_first = flow_first
    seen: list[Tensor] = []
    log_prob = players["flow"].log_prob
    players["flow"].log_prob = lambda x, condition=None: seen.append(x) or log_prob(x, condition)
    trainer.step(0, {"data": Batch(torch.ones(4000, 1, dtype=torch.float64))}, rng())
    assert seen[0].std().item() == pytest.approx(0.3, abs=0.02)
    assert seen[0].mean().item() == pytest.approx(1.0, abs=0.02)


def test_who_learns_next_is_decided_by_the_accuracy_and_survives_a_resume() -> None:
    trainer, _ = versus(0.5, threshold=0.6)
    near = Batch(torch.randn(400, 1, generator=rng(2), dtype=torch.float64))
    assert "loss/energy" in trainer.step(0, {"data": near}, rng())
    assert 0.4 < float(trainer.accuracy) < 0.6  # the energy knows nothing yet
    with torch.no_grad():
        trainer.players["energy"].a.fill_(-3.0)
        trainer.players["log_z"].value.fill_(10.0)
    far = Batch(near.x + 8)
    logs = trainer.step(1, {"data": far}, rng())
    assert "loss/energy" in logs
    assert float(trainer.accuracy) > 0.9
    other, _ = versus(0.5)
    other.restore(trainer.state())
    for resumed in (trainer, other):
        logs = resumed.step(2, {"data": far}, rng())
        assert "loss/flow" in logs
        assert "loss/energy" not in logs


@pytest.mark.slow
def test_flow_and_energy_meet_at_the_data(tmp_path: Path) -> None:
    """The flow is no more likelihood's: it begins at N(0, 1) and stops where it is told from data at 0.6 at most."""
    run = train(
        FCE_EXAMPLE, "data.data={name: normal, n: 20000, mean: 1.0, sd: 0.5}", "players.energy={name: quadratic}",
        "trainer={name: fce, flow_first: 0, energy_first: 100}", "budget={steps: 1000, batch: 400}",
        "energy.lr={start: 0.05, end: 1e-3, delay: 400, over: 600, shape: exponential}", "energy.ema=0.99",
        "log_z.lr={start: 0.05, end: 1e-3, delay: 400, over: 600, shape: exponential}", "log_z.ema=0.99",
        "flow.lr={start: 0.02, end: 1e-3, delay: 400, over: 600, shape: exponential}", watched_by(),
        out=tmp_path / "run",
    )  # fmt: skip
    model = load(run)
    energy, flow = model.players["energy"], model.players["flow"]
    a, b = energy.a.item(), energy.log_b.exp().item()
    assert -a / (2 * b) == pytest.approx(1.0, abs=0.03)
    assert 1 / math.sqrt(2 * b) == pytest.approx(0.5, abs=0.03)
    assert model.players["log_z"].value.item() == pytest.approx(math.log(math.pi / b) / 2 + a * a / (4 * b), rel=0.05)
    assert flow.mean.item() == pytest.approx(1.0, abs=0.2)
    assert flow.log_sd.exp().item() == pytest.approx(0.5, abs=0.2)


# -- flows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["affine", "spline"])
@pytest.mark.parametrize("coupling", [False, True])
def test_a_flow_is_the_density_of_its_draws(kind: str, coupling: bool) -> None:
    pytest.importorskip("zuko")
    from ebmsuite.nets.flows import Flow
    from ebmsuite_toy.grid import Grid

    torch.manual_seed(0)
    flow = Flow(Space((2, 1)), kind=kind, width=16, coupling=coupling, sd=0.7)  # type: ignore[arg-type]
    with torch.no_grad():
        for p in flow.parameters():
            p.mul_(1.3)  # farther from the identity
        state = torch.random.get_rng_state()
        x = flow.sample(4000, rng())
        assert torch.equal(x, flow.sample(4000, rng()))
        assert torch.equal(state, torch.random.get_rng_state())  # the given generator and no other
        grid = Grid((-6.0, -6.0), 12.0, 600)
        log_p = torch.cat([flow.log_prob(z.float().unflatten(1, (2, 1))) for z in grid.points().split(40_000)]).double()
    assert x.shape == (4000, 2, 1)
    p = (log_p + grid.log_cell).exp()
    assert float(p.sum()) == pytest.approx(1.0, abs=0.01)
    mean = (p[:, None] * grid.points()).sum(0)
    covariance = (p[:, None, None] * (grid.points() - mean)[:, :, None] * (grid.points() - mean)[:, None, :]).sum(0)
    assert torch.allclose(x.flatten(1).mean(0).double(), mean, atol=0.05)
    assert torch.allclose(torch.cov(x.flatten(1).T.double()), covariance, atol=0.08)


def test_a_flow_given_a_condition_can_be_differentiated_through_its_draws() -> None:
    pytest.importorskip("zuko")
    from ebmsuite.nets.flows import Flow

    torch.manual_seed(0)
    given = (Space((), kind="label", classes=3), Space((2,)))
    flow = Flow(Space((2,)), width=8, condition=given)
    label, real = torch.tensor([0, 1, 2, 2]), torch.randn(4, 2, generator=rng())
    one = flow.sample(4, rng(), (label, real))
    other = flow.sample(4, rng(), (label.roll(1), real))
    same = (one == other).all(1)
    assert same.tolist() == [False, False, False, True]
    flow.log_prob(one, (label, real)).sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in flow.parameters())


def test_without_the_library_a_flow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from ebmsuite.nets.flows import Flow

    monkeypatch.setitem(sys.modules, "zuko", None)
    with pytest.raises(
        MissingData, match=r'the density "flow" needs the package zuko: pip install "ebmsuite\[flows\]"'
    ):
        Flow(LINE)
