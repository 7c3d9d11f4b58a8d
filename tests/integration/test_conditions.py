"""A plugin whose condition is a dict with masks of two shapes: trained, killed, resumed, loaded and sampled.

The plugin is ``tests/probes/ebmsuite_walk``, which the tests see like an installed plugin.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ebmsuite_walk.uses import BestOfK

from ebmsuite.cli import main
from ebmsuite.dataset import first
from ebmsuite.errors import DataError, PluginError, RecipeError, UserError
from ebmsuite.evaluation.report import write_report
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.experiment.run import Run
from ebmsuite.experiment.train import train
from ebmsuite.hookspecs import hookimpl
from ebmsuite.model import apply, load
from ebmsuite.plugins.conformance import check_plugin, interrupted_run, same_end
from ebmsuite.plugins.registry import Registry
from ebmsuite.plugins.testing import rng, watched_by
from ebmsuite.tree import take

QUIET = (watched_by("log"), "compute.fast=eager")
RECIPES = ["mle", "straight", "vae", "latent", "cooperative"]


def test_the_plugin_conforms() -> None:
    assert {o.check: o.detail for o in check_plugin("walk", fast=True) if o.state != "ok"} == {}


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_ends_the_same_when_it_is_interrupted_and_its_model_takes_the_condition(
    name: str, tmp_path: Path
) -> None:
    recipe = read_recipe(f"walk/{name}", Registry(), QUIET)
    whole = train(f"walk/{name}", *QUIET, out=tmp_path / "whole")
    same_end(whole, interrupted_run(recipe, tmp_path / "parts", 4, Registry()))
    model = load(tmp_path / "parts")
    assert model.condition == model.data["train"].condition
    batch = first(model.data["test"], 6)
    x = model.sample(6, seed=3, condition=batch.condition)
    assert x.shape == (6, 4, 2)
    turned = {**batch.condition, "past": batch.condition["past"].neg()}
    assert not torch.equal(x, model.sample(6, seed=3, condition=turned))  # the condition matters ...
    unseen = batch.condition["past"].masked_fill(~batch.condition["seen"][..., None], torch.nan)
    same = {**batch.condition, "past": unseen}
    assert torch.equal(x, model.sample(6, seed=3, condition=same))  # ... except where its mask is False


def test_a_killed_run_continues_from_its_last_checkpoint(tmp_path: Path) -> None:
    class Kill:
        @hookimpl
        def ebm_step_end(self, run: Run, step: int) -> None:
            if step == 5:  # after the checkpoint of step 3, which holds the conditions of the buffer
                raise RuntimeError("killed")

    registry, kill = Registry(), Kill()
    registry.plugins.add(kill, "testing:kill")
    try:
        with pytest.raises(PluginError, match="killed"):
            train("walk/mle", *QUIET, out=tmp_path / "parts", registry=registry)
    finally:
        registry.plugins.remove(kill)
    train(resume=tmp_path / "parts", quiet=True)
    same_end(train("walk/mle", *QUIET, out=tmp_path / "whole"), tmp_path / "parts")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train("walk/mle", *QUIET, "budget.steps=2", out=tmp_path_factory.mktemp("walk") / "run")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"past": torch.zeros(4, 6, 2)}, r"condition\.past: the shape is \[4, 6, 2\], it must be \[rows, 5, 2\]"),
        ({"seen": torch.ones(4, 5)}, r"condition\.seen: the values are float32, they must be booleans"),
        ({"past": torch.zeros(3, 5, 2)}, r"condition\.past: there are 3 rows for 4 events"),
        ({"scene": None}, r"condition\.scene: is None, it must be a dict with the keys neighbours, there, kind, map"),
        ({"kind": torch.tensor([0, 1, 2, 0])}, r"condition\.scene\.kind: the values are 0 to 2, they must be 0 to 1"),
        ({"map": torch.zeros(4, 5)}, r"condition\.scene\.map: the shape is \[4, 5\]"),
        ({"there": None}, r"condition\.scene\.there: is None, but it is the mask of neighbours"),
    ],
)
def test_a_condition_that_does_not_fit_is_named_by_its_path(run: Path, change: dict[str, Any], said: str) -> None:
    model = load(run)
    condition = first(model.data["test"], 4).condition
    inner = {k: v for k, v in change.items() if k in condition["scene"]}
    outer = {k: v for k, v in change.items() if k in condition}
    condition = {**condition, "scene": {**condition["scene"], **inner}, **outer}
    with pytest.raises(UserError, match=said):
        model.sample(4, condition=condition)
    with pytest.raises(UserError, match=said):
        model.energy(torch.zeros(4, 4, 2), condition)


def test_an_optional_leaf_may_be_given_to_a_model(run: Path) -> None:
    model = load(run)
    x, condition = torch.zeros(4, 4, 2), first(model.data["test"], 4).condition
    scenes = [{**condition["scene"], "map": value} for value in (None, torch.zeros(4, 4))]
    absent, present = (model.energy(x, {**condition, "scene": scene}) for scene in scenes)
    assert not torch.equal(absent, present)  # a map of zeros is not an absent map


def test_a_run_is_not_resumed_with_another_condition(run: Path) -> None:
    with pytest.raises(DataError, match=r"condition\.scene\.neighbours shape entry 1 is 4, the run has 3"):
        train(None, "data.data.others=4", "budget.steps=4", resume=run, quiet=True)


def test_a_varying_length_needs_a_net_of_the_plugin(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"condition\.past: its length varies.*a net of your plugin"):
        train("walk/mle", "data.data.varying=true", out=tmp_path / "run", quiet=True)
    train("walk/straight", *QUIET, "data.data.varying=true", "budget.steps=1", out=tmp_path / "own")


def test_an_energy_gets_the_codec_and_data_without_one_are_refused(tmp_path: Path) -> None:
    model = load(train("walk/straight", *QUIET, "budget.steps=1", out=tmp_path / "run"))
    assert model.players["energy"].unit == model.codec.scale == 4.0
    with pytest.raises(RecipeError, match='energy "walk/straight" needs the codec of the data'):
        train("walk/straight", "data.data={name: walk/plain}", out=tmp_path / "other", quiet=True)


def test_the_report_names_the_classes_and_the_masks(run: Path) -> None:
    page = write_report(run).read_text(encoding="utf-8")
    assert "condition.scene.kind: label, 2 classes (pedestrian, cyclist)" in page
    assert "condition.past: real [5, 2], where seen is true" in page
    assert "condition.scene.map: real [4], optional" in page


def test_names_and_frames_are_written_to_the_users_file(run: Path, tmp_path: Path) -> None:
    model = load(run)
    batch = first(model.data["test"], 5)
    x = model.sample(5, condition=batch.condition)
    model.codec.write(x, tmp_path / "walks.csv", batch)
    back = model.codec.read(tmp_path / "walks.csv")
    assert back.meta["name"].tolist() == [f"test-{i}" for i in range(5)]
    assert np.array_equal(back.meta["frame"], batch.meta["frame"])
    assert torch.allclose(back.x, x, atol=1e-5)


def test_the_commands_take_conditions_from_a_split(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(*words: str | Path) -> str:
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        said = capsys.readouterr()
        assert end.value.code == 0, said.err
        return said.out + said.err

    said = command("sample", run, "--from", "test", "-n", "3", "-k", "2", "--out", tmp_path / "walks.csv")
    assert "3 of 256 examples of the split test" in said
    with (tmp_path / "walks.csv").open(newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    assert len(names) == 6
    assert all(name.startswith("test-") for name in names)
    assert names[::2] == names[1::2], "two samples per condition"
    command("diagnose", run, "--from", "test", "-n", "8", "--times", "2", "--no-log-z")
    assert "split test" in (run / "diagnosis.html").read_text(encoding="utf-8")


def test_a_task_writes_the_facts_of_a_users_file_back(run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(
        "name,frame," + ",".join(f"p{i}" for i in range(10)) + "\nAda,40,0,0,1,0,2,0,3,0,4,0\n"
    )
    assert apply(run, "walk/ahead", tmp_path / "mine.csv", out=tmp_path / "out.csv") == {"walkers": 1}
    back = load(run).codec.read(tmp_path / "out.csv")
    assert (back.meta["name"].tolist(), back.meta["frame"].tolist()) == (["Ada"], [40])


@pytest.mark.slow
def test_an_energy_of_the_condition_learns_the_speeds(tmp_path: Path) -> None:
    changes = ("budget.steps=300", "budget.batch=64", "negative.steps=20", "energy.lr=0.02", "checkpoint.every=300")
    model = load(train("walk/straight", *QUIET, *changes, out=tmp_path / "run"))
    energy = model.players["energy"]
    assert energy.faster.tolist() == pytest.approx([1.0, 2.0], abs=0.05)  # as the data were made
    batch = first(model.data["test"], 100)
    error = model.sample(100, condition=batch.condition) - batch.truth["ahead"]
    other = model.sample(100, condition=take(batch.condition, torch.randperm(100, generator=rng())))
    assert error.square().mean() < 0.1 * (other - batch.truth["ahead"]).square().mean()
    scores = BestOfK(20)(model, model.data, rng(), 100)
    assert 0.1 < scores["best"].value < 0.8 * scores["mean"].value < 0.4  # the noise is 0.1 m per coordinate
