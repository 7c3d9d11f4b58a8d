"""Spaces, trees, energies, densities, streams."""

from __future__ import annotations

import math

import pytest
import torch

from ebmsuite.dataset import InMemory, NormalSamples, Stream, first
from ebmsuite.density import Gaussian, Uniform
from ebmsuite.energy import Clamped, Sum, Tilted
from ebmsuite.errors import DataError, MissingData, RecipeError, UserError
from ebmsuite.files import find, replacing, write_text
from ebmsuite.generator import NormalGenerator, Posterior
from ebmsuite.nets.mlp import Quadratic, mlp_classes, mlp_energy
from ebmsuite.plugins.testing import rng
from ebmsuite.sampling import Langevin
from ebmsuite.schedule import Schedule, at, value_at
from ebmsuite.space import Space
from ebmsuite.tree import cat, flatten, tree_map, unflatten

EVENT = Space((3,))


def test_trees_come_back() -> None:
    tree = {"label": torch.arange(2), "scene": (torch.ones(2, 3), None, {"mask": torch.zeros(2)})}
    again = unflatten(flatten(tree, "condition"), "condition")
    assert torch.equal(again["label"], tree["label"])
    assert torch.equal(again["scene"][2]["mask"], torch.zeros(2))
    assert again["scene"][1] is None
    assert cat([tree, tree])["scene"][0].shape == (4, 3)
    assert tree_map(lambda v: v[:1], tree)["scene"][0].shape == (1, 3)
    with pytest.raises(TypeError, match="not list"):
        tree_map(lambda v: v, [1])


def test_gaussian_is_normalised_and_drawn_from() -> None:
    density = Gaussian(EVENT, mean=1.0, sd=0.5)
    x = density.sample(20_000, rng())
    assert torch.allclose(x.mean(0), torch.ones(3), atol=4 * 0.5 / math.sqrt(20_000))
    truth = torch.distributions.Normal(1.0, 0.5).log_prob(x).sum(1)
    assert torch.allclose(density.log_prob(x), truth, atol=1e-4)
    difference = density(x) + density.log_prob(x)  # the energy lacks a constant only
    assert difference.std() < 1e-4


def test_uniform_knows_its_walls_and_its_chains_do_not() -> None:
    density = Uniform(EVENT, -1.0, 3.0)
    x = density.sample(1000, rng())
    assert x.min() >= -1
    assert x.max() <= 3
    assert torch.allclose(density.log_prob(x), torch.full((1000,), -3 * math.log(4.0)))
    outside = torch.full((1, 3), 4.0)
    assert density.log_prob(outside).item() == -math.inf
    assert density(outside).item() == 0.0


def test_tilted_is_reference_minus_net() -> None:
    energy = mlp_energy(EVENT, width=8, depth=1, reference_sd=2.0)
    x = torch.randn(5, 3, generator=rng())
    assert torch.allclose(energy(x), (x / 2).square().sum(1) / 2 - energy.net(x))
    assert energy(x).shape == (5,)


def test_sum_is_a_weighted_product_of_experts() -> None:
    one, two = Gaussian(EVENT), Quadratic(EVENT)
    x = torch.randn(4, 3, generator=rng())
    assert torch.allclose(Sum([one, two], [1.0, 0.5])(x), one(x) + 0.5 * two(x))
    with pytest.raises(ValueError, match="2 energies need 2 weights"):
        Sum([one, two], [1.0])


def test_clamped_coordinates_do_not_count() -> None:
    energy = Clamped(Gaussian(EVENT))
    values, known = torch.full((2, 3), 7.0), torch.tensor([[True, False, False]] * 2)
    x = torch.zeros(2, 3, requires_grad=True)
    value = energy(x, Clamped.given(values, known))
    (gradient,) = torch.autograd.grad(value.sum(), x)
    assert torch.allclose(value, torch.full((2,), 24.5))
    assert gradient[:, 0].abs().max() == 0
    assert torch.equal(energy.scale(x, Clamped.given(values, known)), torch.tensor([[0.0, 1.0, 1.0]] * 2))
    assert torch.equal(energy.place(x, Clamped.given(values, known))[:, 0], torch.full((2,), 7.0))


def test_posterior_of_a_linear_gaussian_is_known() -> None:
    # z ~ N(0, 1), x = 2 z + e, e ~ N(0, 0.5^2): the posterior has precision 1 + 4 / 0.25 and mean 8 x / 17
    net = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(net.weight, 2.0)
    latent = Gaussian(Space((1,)))
    energy = Posterior(latent, NormalGenerator(net, latent, 0.5))
    z = torch.linspace(-1, 1, 9)[:, None].requires_grad_()
    x = torch.full((9, 1), 1.5)
    (gradient,) = torch.autograd.grad(energy(z, (x, None)).sum(), z)
    assert torch.allclose(gradient, 17 * (z - 8 * 1.5 / 17), atol=1e-4)


def test_energies_stay_in_full_precision_under_autocast() -> None:
    energy = Tilted(mlp_energy(EVENT, 8, 1).net, Gaussian(EVENT))
    energy.autocast = torch.bfloat16
    x = torch.randn(4, 3, generator=rng())
    assert energy(x).dtype == torch.float32
    assert energy.double()(x.double()).dtype == torch.float64


def test_schedules() -> None:
    slow = Schedule(0.1, 5e-4, 105_964, "exponential")
    assert slow(1) == pytest.approx(0.1 * 0.99995, rel=1e-6)  # the x0.99995 a step of the anatomy paper
    assert slow(10**7) == pytest.approx(5e-4)
    assert Schedule(1.0, 0.0, 10, "cosine")(5) == pytest.approx(0.5)
    assert Schedule(1.0, 0.0, 10, delay=5)(5) == 1.0
    assert value_at(2.0, 100) == 2.0
    assert at(Langevin(step_size=Schedule(1.0, 0.0, 10)), 5).step_size == pytest.approx(0.5)


def half_written(path) -> None:
    path.write_text("half")
    raise FileNotFoundError("the rest")


def test_files_are_found_replaced_whole_or_left(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("EBMSUITE_DATA", str(tmp_path))
    (tmp_path / "table.csv").write_text("a")
    assert find("table.csv") == tmp_path / "table.csv"
    with pytest.raises(MissingData, match="no such file here nor below"):
        find("other.csv")
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "table.csv") as aside:
        half_written(aside)
    with pytest.raises(DataError, match=r"x.csv: cannot be written"):
        write_text(tmp_path / "table.csv" / "x.csv", "b")
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"table.csv": "a"}


def test_a_stream_is_a_function_of_its_step() -> None:
    data = InMemory(torch.arange(10.0)[:, None])
    stream = Stream(data, 4, seed=3)
    batches = [stream.batch(t).index for t in range(5)]
    epochs = torch.cat(batches).split(10)
    assert [sorted(e.tolist()) for e in epochs] == [list(range(10))] * 2
    assert not torch.equal(epochs[0], epochs[1])
    again = Stream(data, 4, seed=3)
    assert torch.equal(again.batch(3).index, batches[3])
    halves = [Stream(data, 4, seed=3, rank=r, world=2).batch(3).index for r in range(2)]
    assert torch.equal(torch.cat(halves), batches[3])
    with pytest.raises(RecipeError, match="cannot be divided"):
        Stream(data, 3, seed=0, world=2)
    for s in (stream, again):
        s.close()


def test_an_mlp_sees_its_condition_and_its_logits_are_an_energy() -> None:
    event, label = Space((2,)), Space((), kind="label", classes=3)
    x, y = torch.randn(5, 2), torch.tensor([0, 1, 2, 0, 1])
    energy = mlp_energy(event, 8, 1, condition=(label, Space((4,))))
    noise = torch.randn(5, 4)
    value = energy(x, (y, noise))
    assert value.shape == (5,)
    assert not torch.allclose(value, energy(x, ((y + 1) % 3, noise)))
    assert not torch.allclose(value, energy(x, (y, noise + 1)))
    with pytest.raises(UserError, match="the condition is missing"):
        mlp_energy(event, 8, 1, condition=(label,))(x, (None,))
    joint = mlp_classes(event, label, 8, 1, reference_sd=1.0)
    each = torch.stack([joint(x, torch.full((5,), c)) for c in range(3)], 1)
    assert torch.allclose(joint(x), -(-each).logsumexp(1), atol=1e-6)  # the marginal
    assert torch.allclose((-each).softmax(1), joint.logits(x).softmax(1), atol=1e-6)  # p(y | x)


def test_spectral_norm_bounds_how_steep_an_energy_is() -> None:
    torch.manual_seed(0)
    net = mlp_energy(Space((2,)), 32, 2, spectral_norm=True)
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(50)
    for _ in range(30):  # power iterations
        net(torch.randn(4, 2))
    net.eval()
    x = (3 * torch.randn(500, 2)).requires_grad_()
    (gradient,) = torch.autograd.grad(net(x).sum(), x)
    assert float(gradient.norm(dim=1).max()) <= 1.1**2 * 1.02  # SiLU's slope is 1.1 at most


# -- one-hot events --------------------------------------------------------------------------------------------------


def letters(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows).view(len(rows), -1, 3)


def test_one_hot_events_in_memory() -> None:
    data = InMemory(letters([1.0, 0, 0, 0, 1, 0], [0, 0, 1.0, 1, 0, 0]), kind="one-hot")
    assert (data.event.shape, data.event.kind) == ((2, 3), "one-hot")
    hidden = torch.tensor([[[True] * 3, [False] * 3]])  # a site that is not observed is 0
    InMemory(letters([1.0, 0, 0, 0, 0, 0]), known=hidden, kind="one-hot")


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (letters([1.0, 0, 0, 0, 1, 0], [0, 0, 1.0, 0, 0, 0]), r"example 1, site 1: \[0.0, 0.0, 0.0\] is not one-hot"),
        (letters([1.0, 0, 0, 1, 1, 0]), "example 0, site 1: .* one entry must be 1"),
        (letters([0.5, 0.5, 0, 1, 0, 0]), "example 0, site 0: "),
        (letters([1.0, 0, 0, 2, -1, 0]), "example 0, site 1: "),
        (torch.tensor([[1.0, 0], [float("nan"), 1]]), "example 1: "),
        (torch.eye(3, dtype=torch.int64), r"one-hot events must be a float tensor .* got torch.int64 \[3, 3\]"),
        (torch.ones(3), r"\[N, \*sites, categories\], got"),
    ],
)
def test_events_that_are_not_one_hot_are_named(x, message) -> None:
    with pytest.raises(DataError, match=message):
        InMemory(x, kind="one-hot")


@pytest.mark.parametrize("n", [None, 3, 5000, 9999])
def test_the_first_examples_are_one_batch(n: int | None) -> None:
    data = NormalSamples(n=5000, dim=2, labels=True, hidden=0.5)
    batch, whole = first(data, n), data.batch(torch.arange(5000), torch.zeros(5000))
    size = min(n or 5000, 5000)
    for name in ("x", "condition", "index", "known"):
        assert torch.equal(getattr(batch, name), getattr(whole, name)[:size])
    assert batch.view is None
