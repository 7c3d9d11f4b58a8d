"""Distances against closed forms, brute force and torchmetrics; the metrics built on them."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ebmsuite.evaluation.distances as distances
from ebmsuite.dataset import Dataset, InMemory, fixed_subset
from ebmsuite.errors import UserError
from ebmsuite.model import Metric
from ebmsuite.scores import Extractor, Features, Score
from ebmsuite.space import Space
from ebmsuite_image.metrics import (
    Fid,
    GivenClasses,
    InceptionScore,
    Kid,
    NearestNeighbours,
    NoiseImages,
    Patches,
    PixelGaussian,
    PrecisionRecall,
    Quality,
    frechet,
    given_classes,
    inception_score,
    kernel_distance,
    nearest,
    precision_recall,
)
from ebmsuite_image.metrics.baselines import Of
from ebmsuite_image.metrics.examples import signed


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def with_moments(mean: Tensor, covariance: Tensor, n: int, seed: int) -> Tensor:
    """``n`` rows whose sample mean and (unbiased) covariance are exactly these."""
    x = normal(n, len(mean), seed=seed)
    x = x - x.mean(0)
    x = x @ torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (n - 1))).T
    rows: Tensor = x @ torch.linalg.cholesky(covariance).T + mean
    return rows


# -- Frechet distance ----------------------------------------------------------------------------------------


def test_frechet_of_diagonal_gaussians_is_the_closed_form() -> None:
    a, b = torch.tensor([1.0, 4.0, 0.25]).double(), torch.tensor([9.0, 1.0, 0.25]).double()
    mean = torch.tensor([1.0, -2.0, 0.5]).double()
    x = with_moments(torch.zeros(3).double(), a.diag(), 50, seed=1)
    y = with_moments(mean, b.diag(), 80, seed=2)
    expected = mean.square().sum() + (a.sqrt() - b.sqrt()).square().sum()
    assert frechet(x, y) == pytest.approx(float(expected), rel=1e-10)
    assert frechet(y, x) == pytest.approx(float(expected), rel=1e-10)


def test_frechet_of_covariances_that_do_not_commute() -> None:
    first, second = normal(5, 5, seed=3), normal(5, 5, seed=4)
    a, b = first @ first.T + torch.eye(5), second @ second.T + 0.1 * torch.eye(5)
    x, y = with_moments(torch.zeros(5).double(), a, 40, 5), with_moments(torch.ones(5).double(), b, 40, 6)
    root = torch.linalg.eigvals(a @ b).sqrt().real.sum()
    assert frechet(x, y) == pytest.approx(float(5 + a.trace() + b.trace() - 2 * root), rel=1e-9)


def test_frechet_of_equal_sets_is_zero_even_when_singular() -> None:
    for n, d in ((100, 8), (10, 32)):
        x = normal(n, d, seed=7)
        assert 0 <= frechet(x, x) < 1e-6
        assert frechet(x, x + 2) == pytest.approx(4 * d, rel=1e-6)


def test_too_few_or_unusable_features_are_errors() -> None:
    x = normal(4, 3)
    with pytest.raises(UserError, match="at least 2 pictures per set are needed, got 1 and 4"):
        frechet(x[:1], x)
    with pytest.raises(ValueError, match="must be"):
        frechet(x, normal(4, 2))
    with pytest.raises(ValueError, match="not finite"):
        frechet(x, x * float("nan"))
    with pytest.raises(UserError, match="3 subsets of 5 rows cannot be drawn from 4 and 4"):
        kernel_distance(x, x, 3, 5, generator())
    with pytest.raises(UserError, match="cannot be split into 10 parts"):
        inception_score(x)
    with pytest.raises(UserError, match="too few for 4 neighbours"):
        precision_recall(x, x, k=4)


class Flat(nn.Module):
    """What torchmetrics takes for an Inception: bytes to 12 features."""

    num_features = 12

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).double() / 255


def byte_pictures(n: int, seed: int, power: float) -> Tensor:
    x = torch.rand(n, 3, 2, 2, generator=generator(seed)).pow(power)
    return (x * 255).round().to(torch.uint8)


def test_distances_agree_with_torchmetrics() -> None:
    fid_module = pytest.importorskip("torchmetrics.image.fid")
    kid_module = pytest.importorskip("torchmetrics.image.kid")
    a, b, flat = byte_pictures(300, 1, 1.0), byte_pictures(300, 2, 1.7), Flat()
    fid = fid_module.FrechetInceptionDistance(feature=flat).set_dtype(torch.float64)
    kid = kid_module.KernelInceptionDistance(feature=flat, subsets=1, subset_size=300)
    for metric in (fid, kid):
        metric.update(a, real=True)
        metric.update(b, real=False)
    assert frechet(flat(a), flat(b)) == pytest.approx(float(fid.compute()), rel=1e-5)
    mean, sd = kernel_distance(flat(a), flat(b), 1, 300, generator())
    assert mean == pytest.approx(float(kid.compute()[0]), rel=1e-5)
    assert sd == 0


# -- kernel distance, inception score ------------------------------------------------------------------------


def test_kernel_distance_is_the_sum_over_pairs() -> None:
    a, b = normal(6, 4, seed=1), normal(6, 4, seed=2) + 1

    def kernel(x: Tensor, y: Tensor) -> float:
        return float((x @ y / 4 + 1) ** 3)

    pairs = [(i, j) for i in range(6) for j in range(6)]
    within = sum(kernel(a[i], a[j]) + kernel(b[i], b[j]) for i, j in pairs if i != j) / 30
    expected = within - 2 * sum(kernel(a[i], b[j]) for i, j in pairs) / 36
    assert kernel_distance(a, b, 2, 6, generator())[0] == pytest.approx(expected, rel=1e-10)


def test_kernel_distance_is_unbiased_and_draws_from_rng_alone() -> None:
    values = torch.tensor(
        [kernel_distance(normal(40, 6, seed=i), normal(40, 6, seed=1000 + i), 1, 40, generator())[0]
         for i in range(150)]
    )  # fmt: skip
    assert abs(float(values.mean())) < 4 * float(values.std()) / 150**0.5
    assert float(values.min()) < 0  # an estimate that could not be negative would be biased
    x, y = normal(200, 6, seed=1), normal(200, 6, seed=2) + 0.5
    first = kernel_distance(x, y, 20, 50, generator(3))
    torch.manual_seed(5)
    assert kernel_distance(x, y, 20, 50, generator(3)) == first
    assert first[0] > 3 * first[1] / 20**0.5


def test_inception_score_of_certain_and_of_ignorant_classifiers() -> None:
    certain = torch.eye(10).repeat(20, 1) * 1e4
    assert inception_score(certain) == pytest.approx((10, 0))
    assert inception_score(certain.clamp(min=-1e30).masked_fill(certain == 0, -torch.inf)) == (pytest.approx((10, 0)))
    assert inception_score(torch.zeros(200, 10)) == pytest.approx((1, 0), abs=1e-12)
    one_class = torch.eye(10)[[3]].repeat(50, 1) * 1e4
    assert inception_score(one_class, splits=5) == pytest.approx((1, 0), abs=1e-12)
    # two parts of 2 and of 4 classes
    halves = torch.cat([torch.eye(10)[[0, 1]].repeat(20, 1), torch.eye(10)[:4].repeat(10, 1)]) * 1e4
    assert inception_score(halves, splits=2) == pytest.approx((3, 1))


# -- precision and recall, nearest neighbours ----------------------------------------------------------------


def brute(points: Tensor, manifold: Tensor, k: int) -> float:
    inside = 0
    for p in points:
        for i, m in enumerate(manifold):
            others = sorted(float((m - o).norm()) for j, o in enumerate(manifold) if j != i)
            if float((p - m).norm()) <= others[k - 1]:
                inside += 1
                break
    return inside / len(points)


@pytest.mark.parametrize("cells", [1, 100, 4_000_000])
def test_precision_and_recall_by_brute_force(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "_CELLS", cells)
    real, fake = normal(30, 3, seed=1) + 100, normal(25, 3, seed=2) * 1.5 + 100.5
    expected = (brute(fake, real, 2), brute(real, fake, 2))
    assert expected[0] not in (0, 1)
    assert precision_recall(real, fake, k=2) == pytest.approx(expected)


def test_precision_and_recall_of_equal_disjoint_and_dropped_modes() -> None:
    left, right = normal(200, 4, seed=1), normal(200, 4, seed=2) + 50
    both = torch.cat([left, right])
    assert precision_recall(both, both) == (1, 1)
    assert precision_recall(left, right) == (0, 0)
    assert precision_recall(both, left) == (1, 0.5)
    assert precision_recall(left, both) == (0.5, 1)


def test_nearest_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = normal(20, 5, seed=1), normal(30, 5, seed=2)
    expected = (a[:, None] - b[None]).norm(dim=2).min(1)
    monkeypatch.setattr(distances, "_CELLS", 70)
    index, distance = nearest(a, b)
    assert torch.equal(index, expected.indices)
    torch.testing.assert_close(distance, expected.values)
    assert nearest(b + 1000, b + 1000)[1].tolist() == [0] * 30


# -- metrics -------------------------------------------------------------------------------------------------


class Linear(Extractor):
    """Six random projections as features, three of them as logits."""

    id = "linear"

    def __init__(self, classes: bool = True) -> None:
        self.prepared, self.classes = 0, classes

    def prepare(self, data: Mapping[str, Dataset]) -> None:
        self.prepared += 1

    def protocol(self) -> Mapping[str, object]:
        return {"size": [4, 4]}

    def __call__(self, x: Tensor) -> Features:
        assert x.min() >= -1
        assert x.max() <= 1
        features = x.flatten(1) @ normal(16, 6, seed=9).float()
        return Features(features, features[:, :3] if self.classes else None)


class Copies:
    """A model that draws training examples, with noise of this sd."""

    def __init__(self, data: Dataset, sd: float = 0.0) -> None:
        self.data, self.sd = data, sd

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        index = torch.randint(len(self.data), (n,), generator=rng)
        x = self.data.batch(index, torch.zeros_like(index)).x
        return x + self.sd * torch.randn(x.shape, generator=rng)

    def describe(self) -> dict[str, object]:
        return {"recipe": "copies", "step": 3}


def drawn(n: int, seed: int) -> InMemory:
    return InMemory((normal(n, 1, 4, 4, seed=seed).float() * 0.3).clamp(-1, 1), range=(-1.0, 1.0))


@pytest.fixture
def data() -> dict[str, Dataset]:
    return {"train": drawn(400, 1), "valid": drawn(150, 2), "test": drawn(200, 3)}


def test_fid_says_all_that_belongs_to_it(data: dict[str, Dataset]) -> None:
    data["test"].note = "200 of 1,000"  # type: ignore[attr-defined]
    metric: Metric = Fid(Linear())
    model = Copies(data["train"], 0.1)
    score = metric(model, data, generator(), 100)  # type: ignore[arg-type]
    assert isinstance(score, Score)
    assert score.protocol == {
        "metric": "fid[linear]",
        "of": "model",
        "n_samples": 100,
        "picture": [1, 4, 4],
        "clamped": [-1.0, 1.0],
        "data": "200 of 1,000",
        "model": {"recipe": "copies", "step": 3},
        "split": "test",
        "n_reference": 100,
        "reference": "fixed random subset, seed 0",
        "extractor": {"id": "linear", "size": [4, 4]},
    }
    json.dumps(score.protocol)
    assert metric(model, data, generator(), 100) == score  # type: ignore[arg-type]
    few = Fid(Linear(), set="valid")(model, data, generator(), 5)
    assert few.protocol["caution"].startswith("no more pictures than features (6)")
    assert Fid(Linear())(model, data, generator(), 300).protocol["n_reference"] == 200
    assert typing.get_type_hints(Fid.__init__)["features"] is Extractor  # how the registry finds its kind


class Labelled(Copies):
    """A model that draws, for each label given, a training example that `Linear` assigns to this class."""

    condition: object = Space((), kind="label", classes=3)

    def sample(self, n: int, *, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        assert condition is not None
        x = self.data.batch(torch.arange(len(self.data)), torch.zeros(len(self.data), dtype=torch.long)).x
        found = Linear()(x).features[:, :3].argmax(1)
        rows = [(found == label).nonzero()[:, 0] for label in condition]
        return x[torch.stack([r[torch.randint(len(r), (), generator=rng)] for r in rows])]


def test_samples_of_a_class_agree_with_it(data: dict[str, Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    given = torch.arange(60) % 3
    monkeypatch.setattr(given_classes, "conditions", lambda model, split, n, what: given[:n])
    model: Any = Labelled(data["train"])
    scores = GivenClasses(Linear())(model, data, generator(), 60)
    assert scores["agreement"].value == 1
    assert scores["fid"].protocol["metric"] == "fid[linear]"
    given = 2 - given  # the next call draws for other labels; a third of them are as before
    monkeypatch.setattr(
        model, "sample", lambda n, rng, condition: Labelled.sample(model, n, rng=rng, condition=2 - condition)
    )
    assert GivenClasses(Linear())(model, data, generator(), 60)["agreement"].value == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("condition", "classes", "text"),
    [
        (None, True, "labels: true"),
        (Space((2,)), True, "labels: true"),
        (Space((), kind="label", classes=4), True, "image/classifier"),
        (Space((), kind="label", classes=3), False, "image/classifier"),
    ],
)
def test_without_classes_there_is_no_agreement(
    data: dict[str, Dataset], condition: object, classes: bool, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given_classes, "conditions", lambda model, split, n, what: torch.arange(n) % 3)
    model: Any = Labelled(data["train"])
    model.condition = condition
    with pytest.raises(UserError, match=text):
        GivenClasses(Linear(classes))(model, data, generator(), 60)


def test_baselines_stand_in_their_order(data: dict[str, Dataset]) -> None:
    model = Copies(data["train"])
    held, gaussian, noise = (
        Fid(Linear(), of=of)(model, data, generator(), 150) for of in ("held-out", "pixel-gaussian", "noise")
    )
    assert held.value < 0.5 < 5 < noise.value
    assert gaussian.value < 0.5  # these data are such Gaussians
    assert held.protocol["of"] == "held-out"
    assert "model" not in held.protocol
    assert Fid(Linear(), of="held-out")(model, data, generator(), 500).protocol["n_samples"] == 150


def test_held_out_pictures_are_of_another_split(data: dict[str, Dataset]) -> None:
    two = {k: v for k, v in data.items() if k != "valid"}
    held = Fid(Linear(), of="held-out")(Copies(data["train"]), two, generator(), 100)
    assert held.value > 0
    with pytest.raises(UserError, match=r'another split than the reference "train"'):
        Fid(Linear(), "train", of="held-out")(Copies(data["train"]), two, generator(), 100)


@pytest.mark.parametrize("of", ["held-out", "pixel-gaussian", "noise"])
def test_baselines_are_on_the_scale_of_the_data(data: dict[str, Dataset], of: Of) -> None:
    """Bytes in [0, 255] and the same pictures in [-1, 1] give the same score."""
    bytes = {k: InMemory((v.x + 1) * 127.5, range=(0.0, 255.0)) for k, v in data.items()}  # type: ignore[attr-defined]
    found = [Fid(Linear(), of=of)(Copies(d["train"]), d, generator(), 100).value for d in (data, bytes)]
    assert found[0] == pytest.approx(found[1], rel=1e-3, abs=1e-4)


def test_pixel_gaussian_and_noise_have_the_moments_they_claim(data: dict[str, Dataset]) -> None:
    data["train"] = InMemory(torch.cat([torch.full((9, 1, 2, 2), 0.5), torch.full((9, 1, 2, 2), -0.1)]))
    x = PixelGaussian(data).sample(4000, rng=generator())
    torch.testing.assert_close(x.mean(0), torch.full((1, 2, 2), 0.2), atol=0.02, rtol=0)
    torch.testing.assert_close(x.std(0), torch.full((1, 2, 2), 0.3), atol=0.02, rtol=0)
    x = NoiseImages(data).sample(4000, rng=generator())
    assert x.shape == (4000, 1, 2, 2)
    assert float(x.std()) == pytest.approx(1 / 3**0.5, abs=0.01)


def test_quality_is_the_single_metrics_from_one_pass(data: dict[str, Dataset]) -> None:
    model, extractor = Copies(data["train"], 0.2), Linear()
    together = Quality(extractor, subsets=5)(model, data, generator(4), 120)
    assert extractor.prepared == 1
    assert list(together) == ["fid", "kid", "precision", "recall", "is"]
    assert together["fid"] == Fid(Linear())(model, data, generator(4), 120)
    kid = Kid(Linear(), subsets=5)(model, data, generator(4), 120)
    assert together["kid"] == kid
    assert kid.protocol["subset_size"] == 60
    assert kid.low is not None
    assert kid.high is not None
    assert kid.value == pytest.approx((kid.low + kid.high) / 2)
    both = PrecisionRecall(Linear())(model, data, generator(4), 120)
    assert {k: together[k] for k in ("precision", "recall")} == both
    single = InceptionScore(Linear())(model, data, generator(4), 120)
    assert (single.value, single.low) == (together["is"].value, together["is"].low)
    assert "n_reference" not in single.protocol
    assert "is" not in Quality(Linear(classes=False), subsets=5)(model, data, generator(4), 120)
    with pytest.raises(UserError, match="linear has none"):
        InceptionScore(Linear(classes=False))(model, data, generator(4), 120)


@pytest.mark.parametrize("features", [None, Linear()])
def test_nearest_neighbours_tell_copies_from_new_pictures(data: dict[str, Dataset], features: Extractor | None) -> None:
    metric = NearestNeighbours(features)
    copied = metric(Copies(data["train"]), data, generator(), 100)
    assert copied.value < 1e-6
    assert features is not None or copied.protocol["exact_copies"] == 100
    fresh = metric(Copies(drawn(2000, 8)), data, generator(), 100)
    assert fresh.low is not None
    assert fresh.high is not None
    assert fresh.low - 0.1 < 1 < fresh.high + 0.1
    assert fresh.protocol["n_train"] == 400
    assert NearestNeighbours(features, of="noise")(Copies(data["train"]), data, generator(), 100).value > 1.2
    with pytest.raises(UserError, match="not unseen"):
        NearestNeighbours(features, set="train")(Copies(data["train"]), data, generator(), 100)


def test_unusable_samples_are_errors(data: dict[str, Dataset]) -> None:
    with pytest.raises(UserError, match="at least one sample"):
        Fid(Linear())(Copies(data["train"]), data, generator(), 0)
    with pytest.raises(UserError, match=r"need pictures \[N, C, H, W\]"):
        Fid(Linear())(Copies(InMemory(torch.zeros(9, 16))), data, generator(), 5)


def test_ranges_are_mapped_and_chains_clamped() -> None:
    event = InMemory(torch.zeros(1, 1, 1, 3), range=(0.0, 255.0)).event
    assert signed(torch.tensor([-3.0, 0.0, 127.5, 255.0, 300.0]), event).tolist() == [-1, -1, 0, 1, 1]
    event = InMemory(torch.zeros(1, 1, 1, 3)).event
    assert signed(torch.tensor([-3.0, 0.25]), event).tolist() == [-1, 0.25]


def test_the_reference_is_a_fixed_subset() -> None:
    dataset = drawn(50, 1)
    assert fixed_subset(dataset, 80).tolist() == list(range(50))
    index = fixed_subset(dataset, 20)
    assert torch.equal(index, fixed_subset(dataset, 20))
    assert len(set(index.tolist())) == 20
    assert index.tolist() != list(range(20))


def test_patches_of_copies_are_at_the_floor_and_shuffled_pixels_far() -> None:
    picture = torch.linspace(-1, 1, 24).view(1, 1, 1, 24).expand(1, 3, 20, 24).clone()
    data = {"test": InMemory(picture, range=(-1.0, 1.0))}
    how = {"patches": 2000, "factors": (1.0, 2.0)}

    def score(of: str, sd: float = 0.0) -> Mapping[str, Score]:
        return Patches(of=of, **how)(Copies(data["test"], sd), data, generator(), 5)  # type: ignore[arg-type]

    floor, copies, mirrored, noise = (score(of) for of in ("data", "model", "mirrored", "noise"))
    assert list(floor) == ["1/1", "1/2"]
    assert copies["1/1"].protocol["n_samples"] == 5
    assert copies["1/1"].value < 0.05
    assert mirrored["1/1"].value > 2 * copies["1/1"].value  # slopes to the left are not slopes to the right
    assert noise["1/1"].value > 10 * floor["1/1"].value
    # noise of sd s adds s^2 to the variance of every direction; half of the pixels along an axis average a part away
    with pytest.raises(UserError, match=r"windows of 25 pixels, the pictures have \[20, 24\]"):
        Patches(window=25)(Copies(data["test"]), data, generator(), 2)  # type: ignore[arg-type]
    noisy = score("model", 0.5)
    assert 0.1 < noisy["1/2"].value < noisy["1/1"].value
