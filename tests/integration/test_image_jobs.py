"""The jobs of a user with pictures, through the command line, at a few steps each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ebmsuite.cli import main
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.experiment.train import train
from ebmsuite.plugins.conformance import interrupted_run, same_end
from ebmsuite.plugins.registry import Registry
from ebmsuite.plugins.testing import watched_by
from ebmsuite.values import plain
from ebmsuite_image.data.folder import Folder

SHORT_RUN = "image/digits-short-run"
SMALL = (
    "energy.width=4", "negative.steps=3", "budget.steps=4", "budget.batch=8", "log.every=2", "metrics.0.n=40",
    "render.0.n=8", "render.0.chains=3", "checkpoint.every=2", "players.energy.activation=silu",
)  # fmt: skip


STAGES = (
    "trainer.first=2", "trainer.second=1", "prior.steps=2", "negative.chains.size=16", "players.prior.width=8",
    "generator.width=8", "encoder.width=8",
)  # fmt: skip
"""Small settings of the main job beyond those of `SMALL`."""


def ebm(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    said = capsys.readouterr()
    return int(end.value.code or 0), said.out, said.err


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setenv("EBMSUITE_CACHE", str(cache))
    monkeypatch.setenv("EBMSUITE_OFFLINE", "1")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(
        "image/digits-short-run", *SMALL, "metrics=[]", out=tmp_path_factory.mktemp("image") / "run", quiet=True
    )


@pytest.mark.slow
def test_the_main_job_leaves_pictures_scores_and_a_page(capsys, tmp_path) -> None:
    code, out, _ = ebm(capsys, "train", "image/digits", *SMALL, *STAGES, "--out", str(tmp_path / "run"), "--quiet")
    assert code == 0
    folder = Path(out.strip())
    assert {f.name for f in (folder / "samples" / "step-00000004").iterdir()} == {"samples.png", "film.png", "film.gif"}
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    scores = rows[-1]["scores"]
    protocol = scores["image/quality/fid"]["protocol"]
    assert protocol["metric"].startswith("fid[cnn64-")
    assert protocol["extractor"]["test_accuracy"] > 0.97
    assert (protocol["n_samples"], protocol["split"]) == (40, "test")
    assert "data:image/gif" in (folder / "report.html").read_text()


def test_samples_in_every_format(capsys, run, tmp_path) -> None:
    for name in ("grid.png", "x.npy", "x.safetensors", "folder"):
        code, _, err = ebm(capsys, "sample", str(run), "-n", "5", "--out", str(tmp_path / name))
        assert code == 0, err
    assert np.load(tmp_path / "x.npy").shape == (5, 1, 28, 28)
    assert len(list((tmp_path / "folder").iterdir())) == 5
    assert Image.open(tmp_path / "grid.png").mode == "L"


def test_tasks(capsys, run, tmp_path) -> None:
    pictures = tmp_path / "pictures"
    assert ebm(capsys, "sample", str(run), "-n", "2", "--out", str(pictures))[0] == 0
    given = ["--input", str(pictures)]
    for task, options in {
        "generate": ["n=3"],
        "interpolate": ["pairs=2", "points=3"],
        "reconstruct": ["iterations=2", *given],
        "inpaint": ["box=[7,7,14,14]", *given],
    }.items():
        out = tmp_path / f"{task}.png"
        code, said, err = ebm(capsys, "apply", str(run), f"image/{task}", *options, "--out", str(out))
        assert code == 0, err
        assert said.splitlines()[-1] == str(out)
        Image.open(out).verify()
    code, _, err = ebm(capsys, "apply", str(run), "image/inpaint", "boxx=1", *given, "--out", str(tmp_path / "no.png"))
    assert code == 2
    assert "did you mean image/inpaint.box?" in err


def test_a_corrupt_picture_in_a_folder_is_named(capsys, run, tmp_path) -> None:
    pictures = tmp_path / "mine"
    assert ebm(capsys, "sample", str(run), "-n", "40", "--out", str(pictures))[0] == 0
    broken = Folder(pictures, size=28, channels=1).files.paths[7]
    broken.write_bytes(broken.read_bytes()[:60])
    code, _, err = ebm(
        capsys, "train", SHORT_RUN, *SMALL, "metrics=[]",
        f"data.data={{name: image/folder, path: {pictures}, size: 28, channels: 1}}",
        "budget.batch=36", "--out", str(tmp_path / "run"), "--quiet",
    )  # fmt: skip
    assert code == 2
    assert f"{pictures}: 1 of 40 pictures cannot be read ({broken.name}: " in err
    assert not (tmp_path / "run").exists()
    assert err.count("\n") == 1
    shutil.rmtree(pictures)
    code, _, err = ebm(
        capsys, "train", "image/digits", f"data.data={{name: image/folder, path: {pictures}}}", "metrics=[]",
        "--out", str(tmp_path / "none"),
    )  # fmt: skip
    assert code == 2
    assert str(pictures) in err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("name", "more"),
    [("digits", STAGES), ("digits-short-run", ()), ("mnist-persistent", ()), ("mnist-convergent", ())],
)
def test_runs_on_pictures_resume_exactly(name: str, more: tuple[str, ...], tmp_path) -> None:
    """Nets in channels-last, buffers of pictures, averages, three stages: bit for bit."""
    changes = [
        *more,
        "budget.steps=6", "budget.batch=8", "energy.width=4", "negative.steps=2", "metrics=[]", "render=[]",
        "checkpoint.every=4", "data.data={name: image/digits, size: 32}", watched_by(),
    ]  # fmt: skip
    if name.startswith("mnist"):
        changes += ["chains.size=16", "energy.lr=0.001"]
    registry = Registry()
    recipe = read_recipe(f"image/{name}", registry, changes)
    whole = train(plain(recipe), out=tmp_path / "whole")
    same_end(whole, interrupted_run(recipe, tmp_path / "parts", 5, registry))


@pytest.mark.parametrize(
    "recipe", ["mnist-short-run", "mnist-persistent", "mnist-convergent", "cifar10-short-run", "digits-short-run"]
)
@pytest.mark.parametrize("budget", ["full", "quick"])
def test_every_recipe_is_complete(recipe: str, budget: str) -> None:
    resolved = read_recipe(
        f"image/{recipe}", Registry(), budget=budget if recipe != "digits-short-run" or budget == "full" else None
    )
    assert resolved.budget.steps >= (100_000 if budget == "full" else 1)


def test_published_settings() -> None:
    """The numbers of Nijkamp et al. 2019 (script) and 2020 (mnist_convergent), as the fact sheets have them."""
    registry = Registry()
    short = read_recipe("image/cifar10-short-run", registry)
    assert short.players["energy"]["width"] == 64
    assert short.trainer["data_noise"] == 0.03
    assert (short.optimisers["energy"]["lr"], short.optimisers["energy"]["betas"]) == (1e-4, (0.9, 0.999))
    sampler = short.phases["negative"]["sampler"]
    assert (sampler["gradient_weight"], sampler["noise_scale"], short.phases["negative"]["steps"]) == (1.0, 0.01, 100)
    assert (short.budget.steps, short.budget.batch, short.optimisers["energy"]["ema"]) == (100_000, 64, None)
    anatomy = read_recipe("image/mnist-convergent", registry)
    assert (anatomy.optimisers["energy"]["name"], anatomy.optimisers["energy"]["lr"]) == ("sgd", 1e-2)
    assert anatomy.phases["negative"]["sampler"]["noise_scale"] == 7.5e-3
    assert (anatomy.phases["negative"]["steps"], anatomy.trainer["data_noise"]) == (500, 1.5e-2)
    assert (anatomy.budget.batch, anatomy.players["energy"]["width"]) == (100, 32)
