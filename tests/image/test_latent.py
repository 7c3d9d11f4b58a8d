"""Latent-space models of pictures: generators, anomaly data, scores, tasks and renderers."""

from __future__ import annotations

import copy
import csv
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from sklearn import metrics as oracle
from torch import Tensor, nn

from ebmsuite.cli import cli
from ebmsuite.dataset import Dataset, InMemory, rows
from ebmsuite.errors import RecipeError, UserError
from ebmsuite.evaluation.protocol import HeldOut
from ebmsuite.experiment.recipe import fill_metric, read_recipe
from ebmsuite.experiment.train import train
from ebmsuite.model import Model, load
from ebmsuite.nets.mlp import mlp_levels
from ebmsuite.pictures.raster import to_uint8
from ebmsuite.pictures.renderers import Chain, PriorChains, Reconstructions, Samples
from ebmsuite.pictures.sheets import sheet
from ebmsuite.plugins.registry import Registry, import_target
from ebmsuite.plugins.testing import watched_by
from ebmsuite.space import Batch, Space
from ebmsuite.tasks.anomaly_scores import decide, usual
from ebmsuite.tasks.infer import reconstruct
from ebmsuite_image.codec import Pixels
from ebmsuite_image.data.held_out_class import digits_anomaly, mnist_anomaly
from ebmsuite_image.generators.deconv import TABLES, deconv, encoder
from ebmsuite_image.metrics import AnomalyDetection, Mse
from ebmsuite_image.metrics.baselines import baseline
from ebmsuite_image.smoothing import smooth
from ebmsuite_image.tasks.anomaly import Anomaly
from ebmsuite_image.tasks.generate import Generate
from ebmsuite_image.tasks.interpolate import Interpolate
from ebmsuite_image.tasks.reconstruct import Reconstruct

MNIST = Path(os.environ.get("EBMSUITE_DATA", "")) / "image" / "mnist.npz"
SHORT_RUN = "image/digits-short-run"


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grid(x: Tensor, columns: int | None = None) -> np.ndarray[Any, Any]:
    return sheet(Pixels((28, 28), 1).show(x), columns)


# -- generators ----------------------------------------------------------------------------------------------

PARAMETERS = {  # of the authors' layers, counted by hand: sum of in * out * kernel^2 + out
    "mnist": (1, 28, 8 * 8 * 49 + 8, 8 * 4 * 16 + 4, 4 * 2 * 16 + 2, 2 * 9 + 1),
    "svhn": (3, 32, 8 * 8 * 16 + 8, 8 * 4 * 16 + 4, 4 * 2 * 16 + 2, 2 * 3 * 16 + 3),
    "cifar10": (3, 32, 8 * 8 * 64 + 8, 8 * 4 * 16 + 4, 4 * 2 * 16 + 2, 2 * 3 * 9 + 3),
    "celeba64": (3, 64, 8 * 8 * 16 + 8, 8 * 4 * 16 + 4, 4 * 2 * 16 + 2, 2 * 16 + 1, 3 * 16 + 3),
    "celeba128": (3, 128, 8 * 16 * 16 + 16, 16 * 8 * 16 + 8, 8 * 4 * 16 + 4, 4 * 2 * 16 + 2, 2 * 16 + 1, 3 * 16 + 3),
}


@pytest.mark.parametrize("table", PARAMETERS)
def test_generators_are_those_of_the_papers(table: Any) -> None:
    channels, side, *parameters = PARAMETERS[table]
    event, latent = Space((channels, side, side), (-1.0, 1.0)), Space((8,))
    made = deconv(event, latent, width=1, layers=table)
    x = made(torch.randn(3, 8))
    assert x.shape == (3, channels, side, side)
    assert x.abs().max() <= 1
    convolutions = [m for m in made.net if isinstance(m, nn.ConvTranspose2d)]
    assert [sum(p.numel() for p in m.parameters()) for m in convolutions] == parameters
    assert sum(p.numel() for p in made.parameters()) == sum(parameters)
    assert len([m for m in made.net if isinstance(m, nn.LeakyReLU) and m.negative_slope == 0.2]) == len(parameters) - 1
    q = encoder(event, latent, width=1, layers=table)
    mean, log_sd = q.moments(x.detach())
    assert mean.shape == log_sd.shape == (3, 8)
    assert q.sample(3, generator(), x.detach()).shape == (3, 8)


def test_weights_begin_by_the_normal_rule_of_xavier() -> None:
    layer = next(m for m in deconv(Space((1, 28, 28)), Space((8,)), width=32).net if isinstance(m, nn.ConvTranspose2d))
    fan = 49 * (8 + 256)
    assert layer.weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.02)


def test_a_table_is_found_by_the_size_of_the_pictures() -> None:
    made = deconv(Space((3, 32, 32)), Space((4,)), width=2)
    assert [m.kernel_size for m in made.net if isinstance(m, nn.ConvTranspose2d)] == [(4, 4)] * 4  # svhn's
    assert set(PARAMETERS) == set(TABLES)
    with pytest.raises(RecipeError, match=r"pictures of 28, 32, 64, 128 pixels, not 40x40: set the data's size"):
        deconv(Space((3, 40, 40)), Space((4,)))
    with pytest.raises(RecipeError, match="layers mnist are for pictures of 28x28, the data's are 32x32"):
        encoder(Space((1, 32, 32)), Space((4,)), layers="mnist")
    with pytest.raises(RecipeError, match="works on pictures"):
        deconv(Space((7,)), Space((4,)))


# -- data ----------------------------------------------------------------------------------------------------


def pictures_of(dataset: Dataset) -> list[bytes]:
    return [p.numpy().tobytes() for batch in rows(dataset) for p in to_uint8(batch.x)]


SIZES = {  # train, valid, test, anomalies in test, for the embedded digits: 700 + 100 + 200 of each
    "pooled": (6480, 720, 1800 + 1000, 1000),
    "standard": (6480, 720, 2000, 200),
    "choice": (5670, 630, 1000, 100),
}


@pytest.mark.parametrize("protocol", SIZES)
def test_no_picture_is_learned_and_evaluated(protocol: Any) -> None:
    splits = {s: digits_anomaly(s, held_out=4, protocol=protocol) for s in ("train", "valid", "test")}
    train_size, valid, test, anomalies = SIZES[protocol]
    assert [len(d) for d in splits.values()] == [train_size, valid, test]
    assert [int(d.anomalous.sum()) for d in splits.values()] == [0, 0, anomalies]
    left_out = {"pooled": 0, "standard": 800, "choice": 700}[protocol]
    assert [len(d.skipped.get("of the digit 4", ())) for d in splits.values()] == [left_out] * 3
    found = {name: pictures_of(d) for name, d in splits.items()}
    assert len(set().union(*found.values())) == sum(map(len, found.values()))
    # the digit is known to metrics, and to nobody else
    batch = splits["test"].batch(torch.arange(5), torch.zeros(5, dtype=torch.int64))
    assert batch.condition is None
    assert splits["test"].condition is None
    assert splits["test"].labels is not None
    assert torch.equal(splits["test"].anomalous, splits["test"].labels == 4)


def test_the_choice_of_settings_sees_no_test_picture() -> None:
    evaluated = set(pictures_of(digits_anomaly("test", 4, "standard")))
    for split in ("train", "valid", "test"):
        assert not evaluated & set(pictures_of(digits_anomaly(split, 4, "choice")))


def test_a_split_is_the_same_whoever_asks_first() -> None:
    first = digits_anomaly("test", 7)
    digits_anomaly("train", 7)
    assert torch.equal(first.images, digits_anomaly("test", 7).images)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="held_out: 10 is not a digit"):
        digits_anomaly("train", 10)
    with pytest.raises(RecipeError, match="is not one of train, valid, test"):
        digits_anomaly("all")


@pytest.mark.slow
@pytest.mark.skipif(not MNIST.is_file(), reason="EBMSUITE_DATA names no folder with image/mnist.npz")
def test_the_pooled_split_is_that_of_the_public_loaders() -> None:
    tests = {digit: mnist_anomaly("test", digit) for digit in (1, 4, 5, 7, 9)}
    rates = {digit: round(float(test.anomalous.double().mean()), 3) for digit, test in tests.items()}
    assert rates == {1: 0.388, 4: 0.351, 5: 0.331, 7: 0.368, 9: 0.356}
    with np.load(MNIST) as file:
        x = np.concatenate([file["x_train"][:50000], file["x_test"], file["x_train"][50000:]])
        y = np.concatenate([file["y_train"][:50000], file["y_test"], file["y_train"][50000:]])
    normal = x[y != 9][np.random.RandomState(42).permutation((y != 9).sum())]
    end = int(0.8 * len(normal))
    test = tests[9]
    assert isinstance(test.images, Tensor)
    np.testing.assert_array_equal(test.images[:, 0].numpy(), np.concatenate([normal[end:], x[y == 9]]))
    learned = [mnist_anomaly(s, 9) for s in ("train", "valid")]
    assert [len(d) for d in learned] == [end - 5000, 5000]
    np.testing.assert_array_equal(np.concatenate([d.images for d in learned])[:, 0], normal[:end])  # type: ignore[misc]
    standard = mnist_anomaly("test", 9, "standard")
    assert (len(standard), int(standard.anomalous.sum()), standard.note) == (10_000, 1009, "")


# -- scores, by hand -----------------------------------------------------------------------------------------


TINY = (
    "latent=3", "generator.width=2", "encoder.width=2", "energy.width=4", "posterior.steps=3", "prior.steps=4",
    "budget.steps=4", "budget.batch=8", "checkpoint.every=2", "log.every=2", "render=[]", watched_by(),
)  # fmt: skip


@pytest.fixture(scope="module")
def latent_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = "data.data={name: image/digits-anomaly, held_out: 9, protocol: standard}"
    metrics = "metrics=[{name: image/anomaly, every: 2, n: 200}, {name: image/mse, n: 30}]"
    render = (
        "render=[{name: image/grid, n: 4}, {name: image/reconstructions, n: 6, columns: 4},"
        "{name: image/prior-chains, chains: 2, lengths: [0, 1, 2]}, {name: image/film, frames: 3, chains: 2}]"
    )
    out = tmp_path_factory.mktemp("latent") / "run"
    return train("image/digits-latent", *TINY, data, metrics, render, out=out, quiet=True)


@pytest.fixture(scope="module")
def vae_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tiny = [c for c in TINY if not c.startswith(("energy", "posterior", "prior"))]
    return train("image/digits-vae", *tiny, "metrics=[]", out=tmp_path_factory.mktemp("vae") / "run", quiet=True)


@pytest.fixture(scope="module")
def pixel_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tiny = ("energy.width=2", "negative.steps=2", "budget.steps=1", "budget.batch=4", "metrics=[]", "render=[]")
    return train(SHORT_RUN, *tiny, out=tmp_path_factory.mktemp("pixel") / "run", quiet=True)


@pytest.fixture
def model(latent_run: Path) -> Model:
    return load(latent_run)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five digits as files, whose names are not in the order of the data."""
    path = tmp_path / "pictures"
    path.mkdir()
    for name, x in zip("edcba", digits().x, strict=True):
        Image.fromarray(grid(x[None])).save(path / f"{name}.png")
    return path


def digits(n: int = 5) -> Batch:
    return next(rows(digits_anomaly("test", 9, "standard"), n))


def test_a_tiny_run_leaves_scores_and_pictures(latent_run: Path) -> None:
    scores = [r for r in map(json.loads, (latent_run / "metrics.jsonl").read_text().splitlines()) if "scores" in r]
    assert [r["step"] for r in scores] == [2, 4]
    score = scores[-1]["scores"]["image/anomaly/auprc"]
    protocol = score["protocol"]
    assert protocol["metric"] == "auprc[posterior]"
    assert (protocol["held_out"], protocol["protocol"], protocol["n_samples"]) == (9, "standard", 200)
    assert protocol["base_rate"] == protocol["n_anomalies"] / 200
    # the least that there is: 1 + (1 - p) log(1 - p) / p in the limit of many (Boyd et al., ICML 2012)
    p = protocol["base_rate"]
    assert protocol["smallest_auprc"] == pytest.approx(1 + (1 - p) * np.log(1 - p) / p, abs=0.02)
    assert protocol["smallest_auprc"] <= score["value"] <= 1
    assert scores[-1]["scores"]["image/mse"]["protocol"]["n_samples"] == 30
    made = {f.name for f in (latent_run / "samples" / "step-00000004").iterdir()}
    assert made == {"samples.png", "reconstructions.png", "prior-chains.png", "film.png", "film.gif"}


def test_the_posterior_score_by_hand(model: Model) -> None:
    batch = digits()
    got = decide(model, batch, generator(1), "posterior")
    z = model.trainer.infer(batch, generator(1))
    squares = (model.players["generator"](z) - batch.x).square().flatten(1).sum(1)
    energy = model.players["energy"]
    prior = -energy.net(z) + z.square().sum(1) / 2
    torch.testing.assert_close(got["reconstruction"], squares)
    torch.testing.assert_close(got["energy"], prior)
    torch.testing.assert_close(got["score"], squares / (2 * 0.3**2) + prior)
    # it is the negative log-posterior up to a constant
    exact = model.phases["posterior"].energy(z, (batch.x, None))
    torch.testing.assert_close(got["score"] - got["score"][0], exact - exact[0], rtol=1e-4, atol=1e-2)
    weighed = decide(model, batch, generator(1), "posterior", weight=1.0)
    torch.testing.assert_close(weighed["score"], squares + prior)
    torch.testing.assert_close(decide(model, batch, generator(1), "reconstruction")["score"], squares)


def test_the_ratio_is_of_the_least_noise_and_the_most(model: Model, pixel_run: Path) -> None:
    batch = digits()
    energy = mlp_levels(Space((3,)), 0.2, 1.5, width=8)
    told = copy.copy(model)
    told.players = {**model.players, "energy": energy}
    got = decide(told, batch, generator(1), "ratio")
    z = model.trainer.infer(batch, generator(1))
    ends = [energy(z, torch.full((len(z),), sigma)).detach() for sigma in (0.2, 1.5)]
    torch.testing.assert_close(got["energy"], ends[0])
    torch.testing.assert_close(got["score"], ends[0] - ends[1])
    torch.testing.assert_close(decide(told, batch, generator(1), "energy")["ratio"], got["score"])
    inner = [energy(z, torch.full((len(z),), sigma)).detach() for sigma in (0.5, 1.0)]
    got = decide(told, batch, generator(1), "ratio", levels=(0.5, 1.0))
    torch.testing.assert_close(got["score"], inner[0] - inner[1])
    metric = AnomalyDetection(decision="ratio", levels=(0.5, 1.0))
    found = metric(told, {"test": digits_anomaly("test", 3)}, generator(), 40)
    assert found["auprc"].value == found["auprc-ratio"].value
    assert found["auprc"].protocol["levels"] == [0.5, 1.0]
    for levels in ((1.0, 0.5), (0.1, 1.0), (0.5, 2.0)):
        with pytest.raises(UserError, match=r"levels: give a low and a high noise level .*, from 0\.2 to 1\.5"):
            decide(told, batch, generator(1), "ratio", levels=levels)
    assert usual(told) == "ratio"
    assert usual(model) == "posterior"
    assert usual(load(pixel_run)) == "energy"
    with pytest.raises(UserError, match=r"levels: .* has no noise-conditional energy"):
        decide(model, batch, generator(1), "energy", levels=(0.5, 1.0))
    of_pictures = load(pixel_run)
    energy = mlp_levels(Space(tuple(batch.x.shape[1:])), 0.2, 1.5, width=8)
    of_pictures.players = {**of_pictures.players, "energy": energy}
    both = [energy(batch.x, torch.full((len(batch),), sigma)).detach() for sigma in (0.2, 1.5)]
    torch.testing.assert_close(decide(of_pictures, batch, generator(), "ratio")["score"], both[0] - both[1])
    for plain in (model, load(pixel_run)):
        with pytest.raises(UserError, match='"ratio" needs a noise-conditional energy'):
            decide(plain, batch, generator(), "ratio")


def test_residuals_are_smoothed_before_they_are_squared(model: Model) -> None:
    batch = digits()
    residual = model.players["generator"](model.trainer.infer(batch, generator(1))) - batch.x
    padded = torch.nn.functional.pad(residual, (1, 1, 1, 1))
    shifted = [padded[..., i : i + 28, j : j + 28] for i in range(3) for j in range(3)]
    squares = torch.stack(shifted).mean(0).square().flatten(1).sum(1)
    torch.testing.assert_close(decide(model, batch, generator(1), "smoothed", smooth=smooth)["score"], squares.detach())


def test_a_model_is_not_asked_for_what_it_has_not(model: Model, vae_run: Path, pixel_run: Path) -> None:
    pixel = load(pixel_run)
    for decision in ("posterior", "reconstruction"):
        with pytest.raises(UserError, match=r'needs a generator; .* ask for "energy"'):
            decide(pixel, digits(), generator(), decision)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="this needs a model with a generator"):
        Mse()(pixel, {"test": digits_anomaly("test")}, generator(), 4)
    vae = load(vae_run)
    for settings in ({"descent": 2}, {"noise": False}):
        with pytest.raises(UserError, match="how a latent vector is inferred; this model has none"):
            decide(pixel, digits(), generator(), "energy", **settings)  # type: ignore[arg-type]
    for trained in (model, pixel):
        with pytest.raises(UserError, match=r'weight is that of the squared error .* the score is "energy"'):
            decide(trained, digits(), generator(), "energy", weight=2.0)
    with pytest.raises(UserError, match='no phase "posterior"'):
        decide(vae, digits(), generator(), "posterior", descent=2)
    with pytest.raises(UserError, match="do not say what an anomaly is"):
        AnomalyDetection()(model, {"test": InMemory(digits().x)}, generator(), 4)


def test_a_generator_that_proposes_makes_no_latent_model(model: Model, vae_run: Path, pixel_run: Path) -> None:
    pixel, vae = load(pixel_run), load(vae_run)
    assert model.has_latent
    assert vae.has_latent
    pixel.players = {**pixel.players, "generator": vae.players["generator"]}
    assert not pixel.has_latent
    assert torch.isfinite(decide(pixel, digits(), generator(), "energy")["score"]).all()


def test_the_baselines_have_scores_too(vae_run: Path, pixel_run: Path) -> None:
    vae, pixel, batch = load(vae_run), load(pixel_run), digits()
    got = decide(vae, batch, generator(1), "posterior")
    z = vae.trainer.infer(batch, generator(1))
    torch.testing.assert_close(got["energy"], z.square().sum(1) / 2)
    alone = decide(vae, batch, generator(1), "energy")
    assert torch.equal(alone["score"], got["energy"])
    energies = decide(pixel, batch, generator(), "energy")
    assert torch.equal(energies["score"], pixel.energy(batch.x))
    data = {"test": digits_anomaly("test", 9, "standard")}
    for trained, decision in ((vae, "reconstruction"), (pixel, "energy")):
        scores = AnomalyDetection(decision=decision)(trained, data, generator(), 200)  # type: ignore[arg-type]
        assert list(scores)[:2] == ["auprc", "auroc"]
        terms = {"auprc-reconstruction", "auprc-smoothed", "auprc-energy"} if trained is vae else set()
        assert set(scores) - {"auprc", "auroc"} == terms
        assert (scores["auprc"].protocol["of"], scores["auprc"].protocol["decision"]) == ("model", decision)


def test_a_score_sees_no_label(tmp_path: Path) -> None:
    """The joint energy of nine digits is evaluated by its marginal; one that is given labels is refused."""
    data = "data.data={name: image/digits-anomaly, held_out: 9, protocol: standard, conditional: true}"
    tiny = (data, "negative.steps=1", "budget.steps=1", "budget.batch=4", "metrics=[]", "render=[]", watched_by())
    players = "players.energy={name: image/convnet-classes, width: 2}"
    joint = load(train(SHORT_RUN, *tiny, players, "trainer={name: joint-classifier}", out=tmp_path / "joint"))
    batch = next(rows(joint.data["test"], 30))
    assert batch.condition is not None
    scores = decide(joint, batch, generator(), "energy")["score"]
    energy = joint.players["energy"]
    torch.testing.assert_close(scores, energy.reference(batch.x) - energy.logits(batch.x).logsumexp(1))
    assert not torch.allclose(scores, energy(batch.x, batch.condition))
    found = AnomalyDetection(decision="energy")(joint, joint.data, generator(), 200)
    assert 0 <= found["auroc"].value <= 1
    told = load(train(SHORT_RUN, *tiny, "players.energy={name: mlp, width: 4}", out=tmp_path / "told"))
    with pytest.raises(UserError, match="labels, which an anomaly score must not depend on"):
        decide(told, batch, generator(), "energy")


@pytest.mark.slow
def test_the_nearest_training_picture_is_a_score_without_a_model(vae_run: Path) -> None:
    data = {split: digits_anomaly(split, 9, "standard") for split in ("train", "test")}
    scores = AnomalyDetection(of="nearest")(load(vae_run), data, generator(), 50)
    index = scores["auprc"].protocol["n_samples"]
    assert index == 50
    assert scores["auprc"].protocol["of"] == "nearest"
    chosen = torch.randperm(len(data["test"]), generator=generator(0))[:50].sort().values
    x, train_x = ((data[s].images.double() / 127.5 - 1).flatten(1) for s in ("test", "train"))
    distance = (x[chosen, None] - train_x[None, :500]).square().sum(2).amin(1)
    for part in torch.split(train_x[500:], 500):
        distance = torch.minimum(distance, (x[chosen, None] - part[None]).square().sum(2).amin(1))
    wanted = oracle.roc_auc_score(data["test"].anomalous[chosen], distance)
    assert scores["auroc"].value == pytest.approx(wanted, abs=1e-6)


def test_mse_is_a_mean_over_unseen_pictures(model: Model) -> None:
    data = {"test": digits_anomaly("test", 9, "standard")}
    score = Mse()(model, data, generator(2), 300)
    assert score.protocol["n_samples"] == 300
    assert score.protocol["split"] == "test"
    assert 0 < score.value <= 4
    assert score.low is not None
    assert score.high is not None
    assert score.low < score.value < score.high


# -- tasks and renderers -------------------------------------------------------------------------------------


def test_anomaly_writes_a_row_a_picture(model: Model, folder: Path, tmp_path: Path) -> None:
    facts = Anomaly()(model, folder, tmp_path / "scores.csv", generator(1))
    with (tmp_path / "scores.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["file"] for row in table] == ["a.png", "b.png", "c.png", "d.png", "e.png"]
    assert list(table[0]) == ["file", "score", "reconstruction", "smoothed", "energy"]
    x = Pixels((28, 28), 1).read(folder).x
    expected = decide(model, Batch(x), generator(1), "posterior")
    for name in ("score", "reconstruction", "energy"):
        assert [float(row[name]) for row in table] == pytest.approx(expected[name].tolist(), rel=1e-4)
    highest = table[int(expected["score"].argmax())]
    (folder / "a.png").rename(folder / os.fsdecode(b"\xe9.png"))
    (folder / "in").mkdir()
    (folder / "b.png").rename(folder / "in" / "b.png")
    Anomaly()(model, folder, tmp_path / "names.csv", generator(1))
    with (tmp_path / "names.csv").open(newline="", encoding="utf-8") as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["c.png", "d.png", "e.png", "in/b.png", "\\xe9.png"]
    assert (facts["pictures"], facts["decision"], facts["highest"]) == (5, "posterior", highest["file"])


def test_anomaly_of_an_array_and_of_an_energy(pixel_run: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", digits(2).x.numpy())
    Anomaly()(load(pixel_run), tmp_path / "x.npy", tmp_path / "scores.csv", generator())
    lines = (tmp_path / "scores.csv").read_text().splitlines()
    assert lines[0] == "file,score,energy"
    assert [line.partition(",")[0] for line in lines[1:]] == ["x.npy[0]", "x.npy[1]"]


def test_commands_take_and_show_names_that_are_not_utf8(pixel_run: Path, tmp_path: Path) -> None:
    given, out = (tmp_path / os.fsdecode(name) for name in (b"\xe9.png", b"\xff.csv"))
    Image.fromarray(grid(digits(1).x)).save(given, format="PNG")
    for words in (
        ["sample", str(pixel_run), "-n", "1"],
        ["apply", str(pixel_run), "image/anomaly", "--input", str(given)],
    ):
        named = out if "apply" in words else out.with_suffix(".npy")
        done = CliRunner().invoke(cli, [*words, "--out", str(named)])
        assert done.exit_code == 0, done.exception
        assert f"{tmp_path}/\\xff{named.suffix}" in done.output
    assert out.read_text(encoding="utf-8").splitlines()[1].startswith("\\xe9.png,")


def test_anomaly_says_what_is_wrong(model: Model, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"name a file that ends in \.csv"):
        Anomaly()(model, folder, tmp_path / "scores.txt", generator())
    with pytest.raises(UserError, match="give it a picture or a folder"):
        Anomaly()(model, None, tmp_path / "scores.csv", generator())
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="contains no pictures"):
        Anomaly()(model, tmp_path / "empty", tmp_path / "scores.csv", generator())
    (folder / "b.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"1 of 5 pictures cannot be read \(b\.png: "):
        Anomaly()(model, folder, tmp_path / "scores.csv", generator())
    assert not (tmp_path / "scores.csv").exists()


def test_reconstruct_by_a_generator(model: Model, vae_run: Path, folder: Path, tmp_path: Path) -> None:
    facts = Reconstruct(n=3)(model, folder, tmp_path / "again.png", generator(1))
    x = Pixels((28, 28), 1).read(folder).x[:3]
    made = model.decode(model.trainer.infer(Batch(x), generator(1)), generator())
    assert facts["mse"] == pytest.approx((made - x).square().mean().item())
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "again.png")), grid(torch.cat([x, made]), 3))
    assert Reconstruct()(load(vae_run), folder, tmp_path / "vae.png", generator())["pictures"] == 5
    for settings, named in (
        ({"steps": 3}, "steps"),
        ({"lr": 0.1, "iterations": 9}, "iterations and lr"),
        ({"noise": True}, "noise"),
    ):
        with pytest.raises(UserError, match=f"reconstruct: {named} would be for short-run chains"):
            Reconstruct(**settings)(model, folder, tmp_path / "no.png", generator())  # type: ignore[arg-type]


def test_interpolate_between_latent_vectors(model: Model, vae_run: Path, folder: Path, tmp_path: Path) -> None:
    facts = Interpolate(pairs=2, points=3)(model, None, tmp_path / "between.png", generator(1))
    z = model.phases["prior"].sample(4, generator(1))
    ends = model.decode(torch.stack([z[::2], (z[::2] + z[1::2]) / 2**0.5, z[1::2]], 1).flatten(0, 1), generator())
    np.testing.assert_allclose(
        np.array(Image.open(tmp_path / "between.png")).astype(float), grid(ends, 3).astype(float), atol=1
    )
    assert facts == {"pairs": 2, "points": 3, "between": "samples"}
    facts = Interpolate(pairs=8, points=2)(model, folder, tmp_path / "files.png", generator(1))
    assert facts == {"pairs": 2, "points": 2, "between": "pictures", "pictures": 4, "of": 5}
    assert Interpolate(pairs=1)(load(vae_run), None, tmp_path / "vae.png", generator())["pairs"] == 1
    alone = folder / "a.png"
    with pytest.raises(UserError, match="it holds one; interpolate goes between two pictures"):
        Interpolate()(model, alone, tmp_path / "no.png", generator())


def test_generate_with_other_steps(model: Model, tmp_path: Path) -> None:
    Generate(n=3, steps=9)(model, None, tmp_path / "x.npy", generator(1))
    z = model.phases["prior"].sample(3, generator(1), steps=9)
    np.testing.assert_allclose(np.load(tmp_path / "x.npy"), model.decode(z, generator()).numpy(), atol=1e-6)


def test_prior_chains_are_shown_short_and_long(model: Model, vae_run: Path, pixel_run: Path, tmp_path: Path) -> None:
    PriorChains(chains=2, lengths=(0, 1, 10))(model, tmp_path, generator(3), 1)
    picture = np.array(Image.open(tmp_path / "prior-chains.png"))
    assert picture.shape == (2 * 30 + 2, 3 * 30 + 2)
    short = model.decode(model.phases["prior"].sample(2, generator(3)), generator())
    long = model.decode(model.phases["prior"].sample(2, generator(3), steps=40), generator())
    np.testing.assert_array_equal(picture[2:30, 32:60], grid(short[:1]))
    np.testing.assert_array_equal(picture[32:60, 62:90], grid(long[1:]))
    with pytest.raises(UserError, match='has no phase "prior"'):
        PriorChains()(load(vae_run), tmp_path, generator(), 1)
    with pytest.raises(UserError, match="the renderer chain shows its own"):
        PriorChains()(load(pixel_run), tmp_path, generator(), 1)


def test_film_of_latent_chains(model: Model, tmp_path: Path) -> None:
    strip, _ = Chain(frames=3, chains=2)(model, tmp_path, generator(3), 1)
    ends = model.decode(model.phases["prior"].sample(2, generator(3)), generator())
    np.testing.assert_array_equal(np.array(Image.open(strip))[2:30, 62:90], grid(ends[:1]))
    with pytest.raises(UserError, match="belong to given events; the renderer reconstructions shows"):
        Chain(phase="posterior")(model, tmp_path, generator(), 1)


def test_reconstructions_stand_below_the_pictures(model: Model, vae_run: Path, pixel_run: Path, tmp_path: Path) -> None:
    Reconstructions(columns=4)(model, tmp_path, generator(3), 6)
    picture = np.array(Image.open(tmp_path / "reconstructions.png"))
    assert picture.shape == (4 * 30 + 2, 4 * 30 + 2)  # 4 and 2, each above their reconstructions
    assert (picture[62:90, 62:90] == 255).all()
    for path in (vae_run, pixel_run):
        trained = load(path)
        if "generator" in trained.players:
            Samples()(trained, tmp_path, generator(), 4)
            Reconstructions()(trained, tmp_path, generator(), 4)
        else:
            with pytest.raises(UserError, match="this needs a model with a generator"):
                Reconstructions()(trained, tmp_path, generator(), 4)


# -- recipes -------------------------------------------------------------------------------------------------


def test_published_settings() -> None:
    """The numbers of Pang et al. 2020 (the authors' script for SVHN) and of the public code for anomalies."""
    registry = Registry()
    svhn = read_recipe("image/svhn-latent", registry)
    posterior, prior = svhn.phases["posterior"], svhn.phases["prior"]
    assert (posterior["steps"], posterior["sampler"]["step_size"], posterior["chains"]["name"]) == (20, 0.1, "noise")
    assert (prior["steps"], prior["sampler"]["step_size"], prior["chains"]["name"]) == (60, 0.4, "noise")
    assert svhn.latent == (100,)
    assert (svhn.players["generator"]["width"], svhn.players["generator"]["sd"]) == (64, 0.3)
    energy = svhn.players["energy"]
    assert (energy["width"], energy["depth"], energy["activation"], energy["reference_sd"]) == (200, 2, "gelu", 1.0)
    for name, rate in (("energy", 2e-5), ("generator", 1e-4)):
        lr = svhn.optimisers[name]["lr"]
        assert (lr.start, svhn.optimisers[name]["betas"]) == (rate, (0.5, 0.999))
        assert lr.end / lr.start == pytest.approx(0.998**200, rel=0.01)
    anomaly = read_recipe("image/mnist-anomaly", registry)
    assert anomaly.latent == (8,)
    assert (anomaly.players["generator"]["width"], anomaly.players["generator"]["sd"]) == (128, 1.0)
    assert (anomaly.phases["posterior"]["steps"], anomaly.phases["prior"]["steps"]) == (30, 60)
    assert anomaly.budget.batch == 128
    lr = anomaly.optimisers["generator"]["lr"]
    assert lr(1000) / lr.start == pytest.approx(0.99, abs=1e-4)
    every, steps = anomaly.metrics[0]["every"], anomaly.budget.steps
    assert steps // every >= 10  # evaluations to average


@pytest.mark.parametrize("budget", ["full", "quick"])
@pytest.mark.parametrize(
    "name", ["svhn-latent", "cifar10-latent", "celeba-latent", "mnist-latent", "digits", "digits-latent",
             "digits-latent-dsm", "digits-vae", "mnist-anomaly", "mnist-anomaly-vae", "mnist-anomaly-dsm"]
)  # fmt: skip
def test_every_recipe_is_complete(name: str, budget: str) -> None:
    recipe = read_recipe(f"image/{name}", Registry(), budget=budget)
    assert recipe.latent is not None
    assert recipe.budget.steps >= (20_000 if budget == "full" else 200)


@pytest.mark.parametrize("budget", ["full", "quick"])
def test_every_case_fits_its_recipe(budget: str) -> None:
    registry = Registry()
    for _, component in registry.list("case", domain="image"):
        case = import_target(component.target)
        assert case.name == component.name
        settings = [f"{key}={value}" for key, value in case.settings.items()]
        recipe = read_recipe(case.recipe, registry, settings, budget)
        fill_metric({**case.metric, "n": case.n[budget]}, registry)
        if case.last:
            (metric,) = (m for m in recipe.metrics if m["name"] == case.metric["name"])
            assert case.n[budget] == metric["n"]
            assert metric["every"] * (case.last - 1) <= recipe.budget.steps / 3  # the last third of learning
            assert recipe.data["data"]["held_out"] in (1, 4, 5, 7, 9)


# -- what a model starts from, and what its generator can draw ---------------------------------------------------------


def test_the_starts_of_the_chains_are_scored_beside_the_samples(model: Model, vae_run: Path, pixel_run: Path) -> None:
    """Decoded latent vectors from the prior's start, or pixels from noise; a model without chains has none."""

    def rng() -> torch.Generator:
        return model.generator(5)

    z = model.phases["prior"].chains.start(4, rng()).x
    assert torch.equal(baseline("start", model.data, "test", model).sample(4, rng=rng()), model.decode(z, rng()))
    pixels = load(pixel_run)
    noise = pixels.phases["negative"].chains.start(4, rng()).x
    assert torch.equal(baseline("start", pixels.data, "test", pixels).sample(4, rng=rng()), noise)
    vae = load(vae_run)
    with pytest.raises(UserError, match='has no phase "prior"'):
        baseline("start", vae.data, "test", vae).sample(4, rng=rng())
    with pytest.raises(UserError, match='of: "start" is about a trained model; this is object'):
        baseline("start", model.data, "test", object())


def test_reconstructions_are_of_examples_that_are_not_the_reference(vae_run: Path) -> None:
    vae = load(vae_run)
    made = baseline("reconstructed", vae.data, "test", vae).sample(4, rng=vae.generator(5))
    source = vae.generator(5)
    x = HeldOut(vae.data, "valid").sample(4, rng=source)
    assert torch.equal(made, reconstruct(vae, Batch(x), source))
