"""The toy domain: densities against truth, points, files, the divergence, the picture, a run from end to end."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from torch import Tensor

from ebmsuite.cli import main
from ebmsuite.density import Density
from ebmsuite.errors import DataError, RecipeError, UserError
from ebmsuite.experiment.build import Experiment
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.experiment.train import train
from ebmsuite.model import Model, load
from ebmsuite.plugins.registry import Registry
from ebmsuite.plugins.testing import assert_conforms, rng, watched_by
from ebmsuite.ranks import Ranks
from ebmsuite.sampling import Langevin, Noise, Phase
from ebmsuite.space import Space
from ebmsuite.tree import Tree
from ebmsuite_toy.codec import PointFiles
from ebmsuite_toy.data import Points
from ebmsuite_toy.densities import (
    Banana,
    Checkerboard,
    Correlated,
    Embedded,
    Funnel,
    IllConditioned,
    Mixture,
    Pinwheel,
    Rings,
    eight_gaussians,
    two_moons,
)
from ebmsuite_toy.grid import Grid, log_density, temperature
from ebmsuite_toy.metrics import Divergence, SampleDistances, Statistics
from ebmsuite_toy.render import paths

PLANE = [
    eight_gaussians(),
    Rings(),
    Rings(rings=1, spacing=0.3, sd=0.3),  # a good part of the normal is cut off at radius 0
    Pinwheel(),
    Pinwheel(arms=3, width=0.9, twist=-0.5),  # angles that go round the circle
    two_moons(),
    Checkerboard(),
    Checkerboard(squares=3, width=3.0),
    Funnel(sd=1.0),
    Banana(),
    IllConditioned(),
    IllConditioned(rotated=False, condition_number=10.0),
]
HALVES = [2, 6, 2, 6, 6, 3, 4, 3, 15, 15, 6, 6]
"""How far from 0 each is integrated, in every direction."""
SMOOTH = [d for d in PLANE if not isinstance(d, Checkerboard)] + [Funnel(dim=10), IllConditioned(dim=5)]


def name(value: object) -> str:
    return type(value).__name__ if isinstance(value, Density) else str(value)


# -- densities -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("density", "half"), list(zip(PLANE, HALVES, strict=True)), ids=name)
def test_a_density_is_that_of_its_draws(density: Density, half: int) -> None:
    """Normalised: it integrates to 1. Drawn from: counts in squares are those of its integral (chi-square)."""
    grid, squares = Grid((-half, -half), 2 * half, 480 if half > 2 else 1200), 40
    log_p = torch.cat([density.log_prob(part) for part in grid.points().split(20_000)])
    mass = (log_p + grid.log_cell).exp()
    assert float(mass.sum()) == pytest.approx(1, abs=1e-3)

    x = density.sample(40_000, rng()).double()
    fine = grid.n // squares
    expected = mass.view(squares, fine, squares, fine).sum((1, 3)).flatten() * len(x)
    place = ((x + half) / (grid.side / squares)).floor().long()
    inside = ((place >= 0) & (place < squares)).all(1)
    counts = torch.bincount((place[:, 1] * squares + place[:, 0])[inside], minlength=squares**2).double()
    full = expected > 20
    chi2 = float(((counts - expected)[full].square() / expected[full]).sum())
    cells = int(full.sum())
    assert abs(chi2 - cells) < 5 * math.sqrt(2 * cells) + 1
    rest = float(expected[~full].sum())
    assert abs(float(counts[~full].sum()) - rest) < 5 * math.sqrt(rest) + 1e-3 * len(x)


@pytest.mark.parametrize("density", SMOOTH, ids=name)
def test_gradients(density: Density) -> None:
    x = density.sample(200, rng()).double().requires_grad_()
    assert torch.autograd.gradcheck(density.log_prob, x[:5])
    energy = density(x)
    assert torch.equal(energy, -density.log_prob(x))
    away = torch.cat([torch.zeros_like(x[:1]), x[:1] * 1e-9, 20 * x[:50]]).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(density.log_prob(away).sum(), away)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("density", [*PLANE, *SMOOTH[-2:]], ids=name)
def test_precision_and_seeds(density: Density) -> None:
    x = density.sample(500, rng(3))
    assert x.dtype == torch.float32
    assert torch.equal(x, density.sample(500, rng(3)))
    assert not torch.equal(x, density.sample(500, rng(4)))
    single, double = density.log_prob(x), density.log_prob(x.double())
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    assert torch.isfinite(single).all()  # no draw is rounded to where there is no density
    assert torch.allclose(single.double(), double, atol=1e-3, rtol=1e-4)


def test_densities_that_one_can_write_down() -> None:
    x = torch.randn(50, 3, generator=rng(), dtype=torch.float64)
    means = torch.tensor([[0.0, 1.0, 2.0], [1.0, -1.0, 0.0]], dtype=torch.float64)
    each = torch.distributions.Normal(means[:, None], 0.5).log_prob(x).sum(2)
    assert torch.allclose(Mixture(means, 0.5).log_prob(x), each.logsumexp(0) - math.log(2))
    wide = IllConditioned(dim=3, condition_number=100.0)
    cov = torch.cov(wide.sample(200_000, rng()).double().T)
    values, vectors = torch.linalg.eigh(cov)
    assert torch.allclose(values, torch.tensor([0.01, 0.1, 1.0], dtype=torch.float64), rtol=0.02)
    assert torch.allclose(vectors[:, 2].abs(), torch.full((3,), 3**-0.5, dtype=torch.float64), atol=0.01)
    truth = torch.distributions.MultivariateNormal(torch.zeros(3).double(), wide_covariance(vectors))
    assert torch.allclose(wide.log_prob(x), truth.log_prob(x), rtol=0.1)
    board = Checkerboard()
    assert board.log_prob(torch.tensor([[-1.5, -1.5], [-0.5, -1.5], [9.0, 9.0]])).tolist() == pytest.approx(
        [-math.log(8), -math.inf, -math.inf]
    )


def wide_covariance(vectors: Tensor) -> Tensor:
    return vectors @ torch.diag(torch.tensor([0.01, 0.1, 1.0], dtype=torch.float64)) @ vectors.T


def test_a_density_knows_its_dimension() -> None:
    assert Rings(event=Space((2,))).event == Space((2,))
    with pytest.raises(RecipeError, match=r"vectors \[2\], but the events are \[3\]"):
        Rings(event=Space((3,)))
    with pytest.raises(RecipeError, match=r"vectors \[10\]"):
        Funnel(dim=10, event=Space((2,)))
    for wrong in ({"sd": 0.0}, {"rings": 0}, {"spacing": -1.0}):
        with pytest.raises(RecipeError, match="must be above 0"):
            Rings(**wrong)
    registry = Registry()
    for kind in ("density", "energy"):
        assert registry.build(kind, {"name": "toy/rings", "sd": 0.2}, event=Space((2,))).sd == 0.2


# -- points and files ----------------------------------------------------------------------------------------------


def test_points() -> None:
    registry = Registry()
    spec = registry.fill("dataset", {"name": "toy/points", "density": {"name": "toy/funnel", "dim": 3}, "n": 50}, "d")
    splits = {s: registry.build("dataset", {**spec, "split": s}) for s in ("train", "valid", "test")}
    for points in splits.values():
        assert points.x.shape == (50, 3)
        assert isinstance(points.density, Funnel)
        assert points.codec == PointFiles(columns=3)
    assert torch.equal(splits["train"].x, Points(Funnel(dim=3), 50).x)
    assert not set(map(tuple, splits["train"].x.tolist())) & set(map(tuple, splits["test"].x.tolist()))
    assert not torch.equal(splits["valid"].x, splits["test"].x)
    with pytest.raises(RecipeError, match="split"):
        Points(Rings(), split="tset")
    with pytest.raises(RecipeError, match="n: at least one"):
        Points(Rings(), n=0)


def test_files(tmp_path: Path) -> None:
    codec, x = PointFiles(), Rings().sample(20, rng())
    codec.write(x, tmp_path / "x.csv")
    batch = codec.read(tmp_path / "x.csv")
    assert torch.equal(batch.x, x)  # nine digits are enough for float32
    assert batch.index.tolist() == list(range(20))
    codec.write(x, tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    for text, message in (
        ("1,2\n\n1,2,3\n", r"x\.csv: row 3 has 3 numbers, but a point has 2"),
        ("1,2\n1,two\n", r'x\.csv: row 2 must be 2 finite numbers, got "1,two"'),
        ("1,nan\n", r"x\.csv: row 1"),
        ("\n", r"x\.csv: the file contains no points"),
    ):
        (tmp_path / "x.csv").write_text(text)
        with pytest.raises(DataError, match=message):
            codec.read(tmp_path / "x.csv")
    for path in ("none.csv", "x.txt"):
        with pytest.raises(DataError, match=path):
            codec.read(tmp_path / path)
    with pytest.raises(DataError, match="are written as"):
        codec.write(x, tmp_path / "x.jpg")
    with pytest.raises(DataError, match=r"points must be \[N, 2\]"):
        codec.write(torch.zeros(3, 5), tmp_path / "x.csv")
    with pytest.raises(DataError, match="two coordinates"):
        PointFiles(columns=1).write(torch.zeros(3, 1), tmp_path / "y.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.csv", "x.png"]


# -- grid, divergence, chains --------------------------------------------------------------------------------------


SMALL = ("data.data.n=500", "budget.steps=4", "budget.batch=16", "chains.size=32", "negative.steps=2", watched_by(),
         "metrics.0.n=400", "metrics.0.grid=60", "render.0.n=50", "render.0.steps=5", "render.0.grid=40",
         "log.every=2")  # fmt: skip


class Truth:
    """As much of a `Model` as the metric asks for, with an energy that is known: -log p and a constant, times T."""

    def __init__(self, density: Density, heat: float = 1.0, constant: float = 3.0) -> None:
        self.density, self.heat, self.constant = density, heat, constant
        self.recipe, self.step = read_recipe("toy/rings", Registry()), 0
        sampler = Langevin(step_size=0.1, temperature=heat)
        self.phases, self.players = {"negative": Phase(density, sampler, Noise(density), 3)}, {}

    def energy(self, x: Tensor, condition: Tree = None) -> Tensor:
        return self.heat * (self.constant - self.density.log_prob(x))

    def phase(self, name: str) -> Phase:
        return self.phases[name]

    def describe(self) -> dict[str, object]:
        return {}


def test_the_divergence_of_the_truth_is_zero_and_of_another_normal_is_known() -> None:
    data = {"test": Points(IllConditioned(condition_number=1.0), 4000, "test")}
    scores = Divergence(grid=120)(Truth(IllConditioned(condition_number=1.0)), data, rng(), 10_000)
    assert scores["kl"].value == pytest.approx(0, abs=1e-4)
    assert scores["kl"].protocol["log Z"] == pytest.approx([-3], abs=1e-3)
    assert scores["kl"].protocol["edge"] < 1e-3
    warm = Divergence(grid=120)(Truth(IllConditioned(condition_number=1.0), heat=0.01), data, rng(), 10_000)
    assert warm["kl"].value == pytest.approx(0, abs=1e-4)
    assert warm["kl"].protocol["temperature"] == pytest.approx(0.01)
    other = Divergence(grid=400)(Truth(IllConditioned(condition_number=4.0, rotated=False)), data, rng(), 10_000)
    assert other["kl"].low < (4 - 1 - math.log(4)) / 2 < other["kl"].high  # KL(N(0, 1) || N(0, 1/4))
    assert next(iter(other)) == "kl"
    assert other["log-likelihood"].value == pytest.approx(
        other["kl"].protocol["true log-likelihood"] - other["kl"].value, abs=1e-3
    )


def test_what_a_grid_cannot_do_is_said() -> None:
    with pytest.raises(UserError, match=r"in the plane; events must be \[2\], got \[3\]"):
        Divergence()(Truth(Funnel(dim=3)), {"test": Points(Funnel(dim=3), 10, "test")}, rng(), 10)
    unknown = Points(Rings(), 50, "test")
    del unknown.density
    assert set(Divergence(grid=50)(Truth(Rings()), {"test": unknown}, rng(), 10)) == {"log-likelihood"}
    with pytest.raises(UserError, match="have no temperature"):
        temperature(Phase(Rings(), Langevin(gradient_weight=1, noise_scale=0), Noise(Rings()), 1))


def test_a_grid() -> None:
    grid = Grid.around(torch.tensor([[0.0, 0.0], [4.0, 2.0]]), 10, margin=0.25)
    assert grid.extent() == (-1.0, 5.0, -2.0, 4.0)
    points = grid.points().view(10, 10, 2)
    assert torch.allclose(points[0, 0], torch.tensor([-0.7, -1.7], dtype=torch.float64))
    assert torch.allclose(points[0, 9], torch.tensor([4.7, -1.7], dtype=torch.float64))
    assert str(grid) == "10 x 10 cells on [-1, 5] x [-2, 4]"
    flat = log_density(Truth(Rings()), Grid((-6.0, -6.0), 12.0, 100))  # type: ignore[arg-type]
    x = Rings().sample(5, rng())
    assert torch.allclose(flat(x), Rings().log_prob(x.double()), atol=1e-3)


def test_paths_go_from_fresh_starts_to_ends() -> None:
    phase = Truth(Rings()).phase("negative")
    way = paths(phase, chains=7, steps=10, rng=rng(), moments=4)
    assert way.shape == (1 + 5, 7, 2)  # every second step
    assert torch.equal(way[0], Rings().sample(7, rng()))
    assert paths(phase, 7, 0, rng()).shape == (1, 7, 2)


# -- runs ----------------------------------------------------------------------------------------------------------


def test_a_run_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train("toy/rings", *SMALL, out=tmp_path / "run", quiet=True)
    assert (run / "samples" / "step-00000004" / "picture.png").stat().st_size > 10_000
    model = load(run)
    assert isinstance(model.codec, PointFiles)
    for arguments in (
        ["sample", str(run), "-n", "12", "--out", str(tmp_path / "x.csv")],
        ["sample", str(run), "-n", "12", "--out", str(tmp_path / "x.png")],
        ["apply", str(run), "toy/log-density", "--input", str(tmp_path / "x.csv"), "--out", str(tmp_path / "p.csv")],
        ["evaluate", str(run)],
    ):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert not end.value.code
    assert "toy/divergence/kl" in capsys.readouterr().out
    rows = list(csv.reader((tmp_path / "p.csv").open()))
    assert rows[0] == ["x0", "x1", "energy", "log_density"]
    x = torch.tensor([[float(v) for v in row[:2]] for row in rows[1:]])
    energies = torch.tensor([float(row[2]) for row in rows[1:]])
    assert torch.allclose(model.energy(x), energies, atol=1e-4)


@pytest.mark.parametrize("recipe", ["toy/rings", "toy/eight-gaussians"])
def test_full_is_the_setting_of_the_paper(recipe: str) -> None:
    """x <- x - dU/dx + 0.125 N(0, I), and exp(-2 U / 0.125^2)."""
    full = read_recipe(recipe, Registry(), budget="full")
    model = Model(Experiment.with_data(full, Registry(), torch.device("cpu"), Ranks()), 0, "raw")
    phase = model.phase("negative")
    assert phase.sampler.weights() == (1.0, 0.125)
    assert temperature(phase) == pytest.approx(0.125**2 / 2)
    assert (phase.steps, phase.chains.size, full.budget.batch) == (500, 10_000, 100)
    assert model.data["train"].density.sd == 0.15


@pytest.mark.slow
def test_conforms() -> None:
    assert_conforms("toy")


# -- labels, hidden coordinates, latent vectors --------------------------------------------------------------------


@pytest.mark.slow
def test_an_embedded_mixture_is_normalised_and_expects_what_is_hidden() -> None:
    density = Embedded(dim=3, sd=0.5)
    x, y = density.draw(2000, rng())
    assert y.unique().tolist() == list(range(8))
    # E over the broad normal q of p / q is 1
    q = IllConditioned(dim=3, condition_number=1.0)
    drawn = 2 * q.sample(4000, rng()).double()
    ratio = (density.log_prob(drawn) - q.log_prob(drawn / 2) + 3 * math.log(2)).exp()
    assert float(ratio.mean()) == pytest.approx(1, abs=4 * float(ratio.std()) / len(ratio) ** 0.5)
    known = torch.rand(x.shape, generator=rng(1)) > 0.4
    guess = density.expected(x.double(), known)
    assert torch.equal(guess[known], x[known].double())
    error = (guess - x)[~known]
    assert abs(float(error.mean())) < 4 * float(error.std()) / len(x) ** 0.5
    # an error that no function of what is known explains: orthogonality to the guess itself
    product = error * guess[~known]
    assert abs(float(product.mean())) < 4 * float(product.std()) / len(x) ** 0.5


def test_points_with_labels_and_hidden_coordinates() -> None:
    whole = Points(eight_gaussians(classes=2), 300, labels=True)
    assert whole.condition == Space((), kind="label", classes=2)
    few = Points(eight_gaussians(classes=2), 300, labelled=10)
    assert torch.bincount(few.labels).tolist() == [5, 5]
    assert len(Points(eight_gaussians(classes=2), 300, "test", labelled=10)) == 300
    with pytest.raises(RecipeError, match="must be a multiple of the 2 classes, got 7"):
        Points(eight_gaussians(classes=2), 300, labelled=7)
    with pytest.raises(RecipeError, match="no classes"):
        Points(Rings(), 300, labels=True)
    some = Points(Rings(), 2000, hidden=0.3)
    batch = some.batch(torch.arange(2000), torch.zeros(2000))
    assert float((~batch.known).double().mean()) == pytest.approx(0.3, abs=0.02)
    assert (batch.x[~batch.known] == 0).all()
    assert torch.equal(batch.x[batch.known], some.truth[batch.known])


def test_a_conditional_model_is_evaluated_class_by_class() -> None:
    class Conditional(Truth):
        condition = Space((), kind="label", classes=2)

        def energy(self, x: Tensor, condition: Tree = None) -> Tensor:
            given = torch.stack([self.density.given(c).log_prob(x) for c in (0, 1)], 1)
            return 5 - given.gather(1, condition[:, None]).squeeze(1)

        @property
        def device(self) -> torch.device:
            return torch.device("cpu")

    density = eight_gaussians(classes=2)
    data = {"test": Points(density, 2000, "test", labels=True)}
    scores = Divergence(grid=200)(Conditional(density), data, rng(), 2000)
    assert scores["kl"].value == pytest.approx(0, abs=1e-3)
    assert scores["kl"].protocol["log Z"] == pytest.approx([-5, -5], abs=1e-3)


@pytest.mark.slow
def test_distances_of_samples_know_their_floor() -> None:
    class Shifted(Truth):
        def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
            return self.density.sample(n, rng) + torch.tensor([1.0, 0.0])

    data = {s: Points(Rings(), 2000, s) for s in ("train", "test")}
    scores = SampleDistances()(Shifted(Rings()), data, rng(), 2000)
    # moved by 1 along an axis, a projection on direction u is moved by u_0, whose mean square is 1 / 2
    assert scores["sliced"].value == pytest.approx(0.5**0.5, abs=0.1)
    assert scores["mmd"].value > 50 * abs(scores["mmd"].protocol["floor"])
    assert scores["surprise"].value > 1 > 10 * abs(scores["surprise"].protocol["floor"])
    floor = SampleDistances(of="held-out")(Shifted(Rings()), data, rng(), 2000)
    assert floor["sliced"].value == pytest.approx(scores["sliced"].protocol["floor"], abs=1e-5)


def test_statistics_of_noise_have_an_older_name() -> None:
    class Moments(Truth):
        def __init__(self) -> None:
            super().__init__(Rings())
            self.players = {"energy": SimpleNamespace(statistics=lambda x: torch.cat([x, x.square()], 1))}
            self.device = torch.device("cpu")

    data = {s: Points(Rings(), 2000, s) for s in ("train", "test")}
    found = {of: Statistics(of=of)(Moments(), data, rng(), 500) for of in ("held-out", "noise", "reference")}  # type: ignore[arg-type]
    assert found["noise"] == found["reference"]
    assert found["noise"].protocol["of"] == "noise"
    # the second moments of N(0, 1) are 1, those of the data far from it
    assert found["noise"].value > 5 * found["held-out"].value


def test_conditionals_of_a_correlated_normal_are_exact() -> None:
    density = Correlated(dim=5, rho=-0.6)
    x = density.sample(40_000, rng())
    assert (torch.cov(x.T) - density.get_buffer("C")).abs().max() < 0.03
    exact = torch.distributions.MultivariateNormal(torch.zeros(5), density.get_buffer("C").float())
    assert torch.allclose(density.log_prob(x[:9]), exact.log_prob(x[:9]), atol=1e-4)
    # regression of all coordinates on a measurement has the conditional mean as slope and its covariance as residual
    A = torch.tensor([[0.5, 0.5, 0, 0, 0], [0, 0, 0, 0, 1]], dtype=torch.float64)
    b = x.double() @ A.T
    slope = torch.linalg.lstsq(b, x.double()).solution
    mean, C = density.given(A, torch.tensor([1.0, -2.0], dtype=torch.float64))
    assert (torch.tensor([1.0, -2.0], dtype=torch.float64) @ slope - mean).abs().max() < 0.05
    assert (torch.cov((x.double() - b @ slope).T) - C).abs().max() < 0.03
    with pytest.raises(RecipeError, match="rho: must be between"):
        Correlated(rho=1.0)


@pytest.mark.parametrize("name", ["toy/clamped", "toy/projected", "toy/refine"])
def test_recipes_of_recovery_and_refinement_can_be_read(name: str) -> None:
    recipe = read_recipe(name, Registry(), ["budget.steps=1"], "quick")
    assert read_recipe(yaml.safe_load(recipe.as_yaml()), Registry()) == recipe


@pytest.mark.parametrize("recipe", ["cooperative", "fce", "energy-matching"])
def test_the_picture_shows_chains_that_a_trainer_starts(recipe: str, tmp_path: Path) -> None:
    """Their starts are draws of the generator, of the flow or of the transport."""
    small = ("budget.steps=1", "budget.batch=8", "metrics=[]", "players.energy.width=4", watched_by())
    render = "render=[{name: toy/picture, n: 20, grid: 16, chains: 3, steps: 2}]"
    run = train(f"toy/{recipe}", *small, render, out=tmp_path / "run", quiet=True)
    assert (run / "samples" / "step-00000001" / "picture.png").stat().st_size > 10_000
    model = load(run)
    starts = model.starts(5, model.generator(1))
    phase = model.phases["negative"]
    assert torch.equal(phase.sample(5, model.generator(1), steps=0), starts)
    assert not torch.equal(model.starts(5, model.generator(2)), starts)
