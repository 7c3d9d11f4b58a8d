"""Players that come from another run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from ebmsuite.builtin.examples import LATENT_EXAMPLE, PLANE, VAE_EXAMPLE
from ebmsuite.errors import RecipeError
from ebmsuite.experiment import chosen
from ebmsuite.experiment.chosen import newest
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.experiment.train import train
from ebmsuite.model import load
from ebmsuite.plugins.conformance import interrupted_run, same_end
from ebmsuite.plugins.registry import Registry

STEPS = {"budget": {"steps": 4, "batch": 8}, "compute": {"threads": 1, "device": "cpu"}, "watch": [{"name": "log"}]}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A variational auto-encoder that keeps averaged weights of its generator."""
    rates = {**VAE_EXAMPLE["optimisers"], "generator": {"name": "adam", "lr": 0.1, "ema": 0.5}}
    return train({**VAE_EXAMPLE, **STEPS, "optimisers": rates}, out=tmp_path_factory.mktemp("source") / "run")


def recipe(run: Path, frozen: bool = True, **changes: Any) -> dict[str, Any]:
    """An energy of the latent vector with generator and encoder of the run."""
    given = {"name": "trained", "run": str(run), "frozen": frozen}
    rates = LATENT_EXAMPLE["optimisers"]
    return {
        **LATENT_EXAMPLE,
        **STEPS,
        "players": {"energy": LATENT_EXAMPLE["players"]["energy"], "generator": given, "encoder": {**given}},
        "optimisers": {"energy": rates["energy"]} if frozen else rates,
        **changes,
    }


def weights(run: Path, player: str, file: str = "players") -> dict[str, torch.Tensor]:
    tensors = load_file(newest(run) / f"{file}.safetensors")
    return {k: v for k, v in tensors.items() if k.startswith(f"{player}/")}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_a_frozen_player_keeps_the_averaged_weights_and_the_others_learn(source: Path, tmp_path: Path) -> None:
    run = train(recipe(source), out=tmp_path / "run")
    averaged = weights(source, "generator", "ema")
    assert averaged
    assert not same(averaged, weights(source, "generator"))
    assert same(weights(run, "generator"), averaged)
    assert same(weights(run, "encoder"), weights(source, "encoder"))  # of which the run kept no average
    first = load_file(run / "checkpoints" / "step-00000000" / "players.safetensors")
    assert not torch.equal(first["energy/net.1.0.weight"], weights(run, "energy")["energy/net.1.0.weight"])
    stored = yaml.safe_load((run / "recipe.yaml").read_text())["players"]["generator"]
    assert stored["net"]["name"] == "mlp"
    assert stored["net"]["width"] == 16
    assert len(stored["digest"]) == 16


def test_a_player_that_is_not_frozen_learns_on(source: Path, tmp_path: Path) -> None:
    run = train(recipe(source, frozen=False), out=tmp_path / "run")
    begin = load_file(run / "checkpoints" / "step-00000000" / "players.safetensors")
    kept = load_file(run / "checkpoints" / "step-00000000" / "ema.safetensors")
    for key, value in weights(source, "generator", "ema").items():
        assert torch.equal(begin[key], value)
        assert torch.equal(kept[key], value)
    assert not same(weights(run, "generator"), weights(source, "generator", "ema"))


def test_the_run_works_and_resumes_without_its_source(source: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(source, tmp_path / "copy")
    registry = Registry()
    whole = train(recipe(copy), out=tmp_path / "whole", registry=registry)
    again = train(recipe(whole), out=tmp_path / "again")  # a trained player of a trained player
    assert same(weights(again, "generator"), weights(whole, "generator"))
    begun = train(recipe(copy), "budget.steps=2", out=tmp_path / "begun")
    shutil.rmtree(copy)
    assert load(whole, device="cpu").sample(3).shape == (3, 2)
    train(None, "budget.steps=4", resume=begun)
    same_end(whole, begun)
    with pytest.raises(RecipeError, match=r"players.generator.run: .*copy: not a run folder"):
        train(whole / "recipe.yaml", out=tmp_path / "new")
    parts = interrupted_run(read_recipe(recipe(source), registry), tmp_path / "parts", 1, registry)
    same_end(train(recipe(source), out=tmp_path / "one"), parts)


def test_weights_that_changed_since_are_noticed(source: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(source, tmp_path / "copy")
    run = train(recipe(copy), "budget.steps=1", out=tmp_path / "run")
    train(None, "budget.steps=6", resume=copy)
    with pytest.raises(RecipeError, match=r"players.generator.digest: the weights of \"generator\" in .* gone on"):
        train(run / "recipe.yaml", out=tmp_path / "new")


@pytest.mark.parametrize("which", ["2", 2, "best"])
def test_the_weights_are_those_of_the_chosen_checkpoint(
    source: Path, tmp_path: Path, which: str | int, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(source, tmp_path / "copy")
    shutil.rmtree(copy / "checkpoints")
    shutil.copytree(newest(source), copy / "checkpoints" / "step-00000002")
    other = load_file(newest(copy) / "ema.safetensors")
    shutil.copytree(newest(source), copy / "checkpoints" / "step-00000004")
    save_file({k: v + 1 for k, v in other.items()}, copy / "checkpoints" / "step-00000004" / "ema.safetensors")
    monkeypatch.setattr(chosen, "best_step", lambda rows, recipe: 2)
    made = recipe(copy)
    made["players"]["generator"]["checkpoint"] = which
    run = train(made, out=tmp_path / "run")
    assert same(weights(run, "generator"), {k: v for k, v in other.items() if k.startswith("generator/")})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"checkpoint": "best"}, r"players.generator.checkpoint: .* no best checkpoint was kept"),
        ({"checkpoint": 3}, r'players.generator.checkpoint: .* has no checkpoint "3"; it has: 0, 4'),
        ({"run": "nowhere"}, r"players.generator.run: nowhere: not a run folder"),
        ({"run": "."}, r"players.generator.run: \.: not a run folder"),
        ({"player": "energy"}, r'players.generator.player: .* has no player "energy" \(it has: generator, encoder\)'),
        ({"player": "encoder"}, r'players.generator.player: "encoder" of .* is a density, but a generator is needed'),
    ],
)
def test_a_wrong_source_gets_one_line(source: Path, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    made = recipe(source)
    made["players"]["generator"] |= change
    with pytest.raises(RecipeError, match=message) as error:
        train(made, out=tmp_path / "run")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"data": {"data": {**PLANE["data"], "dim": 3}}},
            r"players.generator: .* has another event space: event shape",
        ),
        ({"latent": 3}, r"players.generator: .* has another latent space: latent entry 1 is 3, the run has 2"),
        ({"data": {"data": {**PLANE["data"], "labels": True}}}, r"players.generator: .* has another condition space"),
    ],
)
def test_another_space_is_refused(source: Path, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message) as error:
        train(recipe(source, **changes), out=tmp_path / "run")
    assert "\n" not in str(error.value)


def test_an_encoder_without_condition_serves_data_with_one(source: Path, tmp_path: Path) -> None:
    made = recipe(source, data={"data": {**PLANE["data"], "labels": True}})
    made["players"]["generator"] = LATENT_EXAMPLE["players"]["generator"]
    made["optimisers"] = {k: v for k, v in LATENT_EXAMPLE["optimisers"].items() if k != "encoder"}
    run = train(made, "budget.steps=1", out=tmp_path / "run")
    assert same(weights(run, "encoder"), weights(source, "encoder"))


def test_a_frozen_player_takes_no_optimiser_and_something_must_learn(source: Path) -> None:
    registry = Registry()
    made = recipe(source)
    with pytest.raises(RecipeError, match=r"optimisers.generator: players.generator is frozen"):
        read_recipe({**made, "optimisers": LATENT_EXAMPLE["optimisers"]}, registry)
    with pytest.raises(RecipeError, match=r"optimisers.generator: the trainer needs the player"):
        read_recipe({**recipe(source, frozen=False), "optimisers": made["optimisers"]}, registry)
    both = {k: made["players"][k] for k in ("generator", "encoder")}
    with pytest.raises(RecipeError, match="all are frozen, so nothing learns"):
        read_recipe({**VAE_EXAMPLE, "players": both, "optimisers": {}}, registry)
