"""The plugin as a whole: conformance, and runs of its recipes with their metrics, tasks and films."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import ebmsuite
from ebmsuite.errors import UserError
from ebmsuite.plugins.testing import assert_conforms, watched_by
from ebmsuite_video.codec import Frames
from ebmsuite_video.media import read_film
from ebmsuite_video.synthesis import kept_chains, synthesise

NET = 'players.energy={"name": "video/convnet", "channels": [4, 4], "kernels": [4, [2, 0, 0]], "strides": 2}'
TINY = (
    "compute.fast=eager",
    "compute.threads=1",
    "render=[]",
    "metrics=[]",
    "checkpoint.every=2",
    watched_by("log"),
)


@pytest.mark.slow
def test_conforms() -> None:
    assert_conforms("video")


@pytest.fixture(scope="module")
def ripples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "ripples"
    small = ("data.data.size=16", "data.data.frames=12", "budget.steps=2", "phases.negative.steps=3")
    return Path(ebmsuite.train("video/ripples-mle", *small, NET, *TINY, out=out, quiet=True))


@pytest.fixture(scope="module")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "recovery"
    small = (
        "data.data.of.of.frames=8",
        "data.data.of.of.size=[16,20]",
        "budget.steps=2",
        "players.energy.channels=[4,4]",
    )
    return Path(ebmsuite.train("video/pedestrians-recovery", *small, *TINY, out=out, quiet=True))


@pytest.fixture(scope="module")
def without_energy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "filling"
    small = (
        'data.data.of.of={"name": "video/clip", "path": "pedestrians", "frames": 8, "size": [15, 21]}',
        'data.data.of.masks=[{"name": "slices", "axis": 1, "hidden": 0.5}]',
        "budget.steps=2",
        "players.density.channels=[4,4]",
    )
    return Path(ebmsuite.train("video/recovery-filling", *small, *TINY, out=out, quiet=True))


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "held"
    small = (
        'data.data.of={"name": "video/clip", "path": "pedestrians", "frames": 8, "size": [16, 20]}',
        'data.data.masks=[{"name": "slices", "axis": 1, "hidden": 0.5}]', "budget.steps=2", "phases.negative.steps=2",
        "phases.recovered.steps=0", 'phases.recovered.chains.start={"name": "video/fill", "fill": "temporal"}',
        "trainer.recovery_steps=2", "trainer.recovery_draws=2",
    )  # fmt: skip
    return Path(ebmsuite.train("video/recovery-mle", *small, NET, *TINY, out=out, quiet=True))


def test_a_texture_starts_at_a_linear_system_that_is_stored_with_the_run(tmp_path: Path) -> None:
    small = (
        "data.data.size=16", "data.data.frames=12", "budget.steps=2", "phases.negative.steps=1", "trainer.anneal=2",
        "players.energy.channels=[4,4]", "players.start.rank=4",
    )  # fmt: skip
    model = ebmsuite.load(ebmsuite.train("video/ripples", *small, *TINY, out=tmp_path / "run", quiet=True))
    start, clips = model.players["start"], model.data["train"].batch(torch.arange(2), torch.zeros(2, dtype=torch.int64))
    assert torch.allclose(start.mean, clips.x.mean((0, 2)).flatten(), atol=1e-5)
    assert torch.allclose(start.components @ start.components.T, torch.eye(4), atol=1e-4)
    assert model.sample(2, seed=0).shape == (2, 3, 12, 16, 16)


def test_more_clips_than_chains_are_not_repeated(ripples: Path, tmp_path: Path) -> None:
    model = ebmsuite.load(ripples)
    kept = kept_chains(model)
    assert kept.shape == (4, 3, 12, 16, 16)  # two chains per clip
    x, n = synthesise(model, 6, model.generator(0))
    assert n == 4
    assert torch.equal(x[:4], kept)
    assert len(torch.unique(x.flatten(1), dim=0)) == 6
    facts = ebmsuite.apply(model, "video/generate", out=tmp_path / "x.webp", n=2, steps=1)
    assert facts["kept chains"] == 2
    assert read_film(tmp_path / "x.webp").fps == pytest.approx(25)
    with pytest.raises(UserError, match="takes no input"):
        ebmsuite.apply(model, "video/generate", tmp_path, out=tmp_path / "x.webp")


@pytest.mark.parametrize("of", ["model", "held-out", "lds", "shuffled", "reversed", "noise"])
def test_statistics_of_the_model_and_of_baselines(ripples: Path, of: str) -> None:
    rows = ebmsuite.evaluate(ripples, metric={"name": "video/texture", "of": of, "n": 2}).rows
    values = {str(row.protocol["metric"]): row.mean for row in rows}
    assert all(np.isfinite(v) for v in values.values())
    if of == "reversed":
        assert values["direction"] == pytest.approx(-1)
        assert values["copy"] == pytest.approx(0, abs=1e-6)
        assert values["temporal"] == pytest.approx(0, abs=0.02)
    if of == "shuffled":
        assert abs(values["direction"]) < 0.7
        assert values["radial"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("of", ["recovered", "held", "without_energy"])
def test_a_recovery_is_written_and_keeps_what_is_visible(
    of: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model = ebmsuite.load(request.getfixturevalue(of))
    facts = ebmsuite.apply(model, "video/recover", out=tmp_path / "x.npz")
    assert facts["hidden"] == 0.5
    assert {p.name for p in tmp_path.iterdir()} == {"x.npz", "x-frames.png", "x-slices.png"}
    assert isinstance(facts["mean absolute error (0..255)"], float)
    batch = model.data["train"].batch(torch.tensor([0]), torch.tensor([0]))
    assert torch.equal(model.trainer.recover(batch, model.generator(0))[batch.known], batch.truth[batch.known])


def test_the_held_chain_is_the_fill(held: Path) -> None:
    model = ebmsuite.load(held)
    fill = ebmsuite.evaluate(held, metric={"name": "video/recovery", "of": "temporal", "n": 1}).rows
    batch = model.data["train"].batch(torch.tensor([0]), torch.tensor([0]))
    memory = model.phases["recovered"].chains.x  # type: ignore[attr-defined]
    error = 127.5 * (memory - batch.truth).abs()[~batch.known].mean()  # held: steps were 0
    assert fill[0].mean == pytest.approx(float(error), rel=1e-4)


def test_a_film_of_ones_own_is_recovered_at_its_rate(recovered: Path, tmp_path: Path) -> None:
    film = torch.rand(1, 3, 8, 16, 20, generator=torch.Generator().manual_seed(0)) * 2 - 1
    Frames((16, 20), 8, 3, 12.0).write(film, tmp_path / "film.avi")
    mask = np.zeros((8, 16, 20), np.uint8)
    for t in range(8):
        mask[t, 4:9, t : t + 5] = 255  # follows an object
    np.savez(tmp_path / "mask.npz", x=mask)
    settings = {"mask": str(tmp_path / "mask.npz")}
    facts = ebmsuite.apply(recovered, "video/recover", tmp_path / "film.avi", out=tmp_path / "x.avi", settings=settings)
    assert facts["frames per second"] == pytest.approx(12)
    made, given = read_film(tmp_path / "x.avi"), read_film(tmp_path / "film.avi")
    assert made.fps == pytest.approx(12)
    assert np.array_equal(made.frames[mask == 0], given.frames[mask == 0])
    assert not np.array_equal(made.frames[mask > 0], given.frames[mask > 0])
    with pytest.raises(UserError, match='set "mask"'):
        ebmsuite.apply(recovered, "video/recover", tmp_path / "film.avi", out=tmp_path / "y.avi")
    with pytest.raises(UserError, match="name the film"):
        ebmsuite.apply(recovered, "video/recover", out=tmp_path / "y.avi", settings=settings)


def test_only_models_of_incomplete_clips_recover(ripples: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot recover hidden coordinates"):
        ebmsuite.apply(ripples, "video/recover", out=tmp_path / "x.avi")
    with pytest.raises(UserError, match="writes a file"):
        ebmsuite.apply(ripples, "video/recover", out=tmp_path / "x.txt")
