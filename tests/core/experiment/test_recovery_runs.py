"""Runs that recover hidden parts or start from another run's samples: trained, interrupted, loaded and used."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from ebmsuite.builtin.examples import INCOMPLETE_EXAMPLE, MLE_EXAMPLE, PERSISTENT
from ebmsuite.constraint import Pool
from ebmsuite.dataset import first
from ebmsuite.energy import Clamped, Projected
from ebmsuite.errors import MissingData, RecipeError
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.experiment.train import train
from ebmsuite.model import load
from ebmsuite.plugins.conformance import interrupted_run, same_end
from ebmsuite.plugins.registry import Registry
from ebmsuite.plugins.testing import watched_by
from ebmsuite.space import Batch

registry = Registry()
QUIET = ("log.every=5", "checkpoint.every=5", "checkpoint.keep=2", watched_by("log", "guard"))
LANGEVIN = {"name": "langevin", "step_size": 0.3}
NORMAL = {"name": "normal", "n": 64, "dim": 4, "mean": 1.0, "sd": 0.5}
MASKED = {"name": "masked", "of": NORMAL, "masks": [{"name": "random"}, {"name": "half", "axis": 0}]}

CLAMPED: dict[str, Any] = {
    **MLE_EXAMPLE,
    "recipe": "clamped-example",
    "data": {"data": {**MASKED, "given": "condition"}},
    "players": {"energy": {"name": "clamped", "energy": {"name": "quadratic"}}},
    "phases": {"negative": {"chains": {"name": "visible", "noise": 0.5}, "sampler": LANGEVIN, "steps": 5}},
}
PROJECTED: dict[str, Any] = {
    **CLAMPED,
    "recipe": "projected-example",
    "data": {"data": {"name": "measured", "of": NORMAL, "constraint": {"name": "pool"}}},
    "players": {
        "energy": {"name": "projected", "energy": {"name": "quadratic"}, "constraint": {"name": "pool"}},
    },
    "phases": {
        "negative": {
            "chains": {"name": "noise", "density": {"name": "gaussian"}},
            "sampler": {"name": "hmc", "step_size": 0.2, "leapfrog": 3},
            "steps": 3,
        }
    },
}
INCOMPLETE: dict[str, Any] = {
    **INCOMPLETE_EXAMPLE,
    "recipe": "incomplete-with-masks",
    "data": {"data": MASKED},
    "trainer": {"name": "incomplete", "recovery_steps": 6, "recovery_draws": 3, "continued": True},
    "phases": {
        "recovered": {
            "chains": {"name": "memory", "chains": 2, "start": {"name": "visible", "noise": 0.5}},
            "sampler": LANGEVIN,
            "steps": {"start": 0, "end": 3, "over": 1, "delay": 3},
        },
        "negative": PERSISTENT,
    },
}


def wholes(tmp_path: Path, recipe: dict[str, Any]) -> Path:
    """A run that was interrupted and resumed, after checking that it ends as one that was not."""
    whole = train(recipe, *QUIET, out=tmp_path / "whole")
    parts = interrupted_run(read_recipe(recipe, registry, QUIET), tmp_path / "parts", 7, registry)
    same_end(whole, parts)
    return parts


def test_a_clamped_energy_of_a_recipe_fills_in_what_is_hidden(tmp_path: Path) -> None:
    model = load(wholes(tmp_path, CLAMPED), device="cpu")
    batch = first(model.data["test"])
    known, x = batch.condition["known"], model.sample(len(batch), condition=batch.condition)
    assert torch.equal(x[known], batch.x[known])
    assert (x[~known] != batch.x[~known]).all()
    # a user's own condition, made by hand
    values = torch.tensor([[3.0, 0, 0, 0]])
    x = model.sample(1, condition=Clamped.given(values, values != 0))
    assert float(x[0, 0]) == 3
    assert model.energy(x, Clamped.given(values, values != 0)).shape == (1,)


def test_a_projected_energy_of_a_recipe_keeps_its_constraint(tmp_path: Path) -> None:
    model = load(wholes(tmp_path, PROJECTED), device="cpu")
    low = torch.tensor([[0.5, -1.5], [2.0, 0.0]])
    x = model.sample(2, condition=Projected.given(low))
    assert (Pool(2).measure(x) - low).abs().max() < 1e-6


def test_incomplete_data_with_a_held_memory_of_several_chains(tmp_path: Path) -> None:
    model = load(wholes(tmp_path, INCOMPLETE), device="cpu")
    memory = model.phases["recovered"].chains.state()
    assert memory["x"].shape == (128, 4)
    assert memory["seen"].all()
    batch = first(model.data["train"])
    assert batch.known is not None
    kept = memory["x"].view(64, 2, 4)
    assert torch.equal(kept[:, 0][batch.known], batch.truth[batch.known])
    assert (kept[:, 0] != kept[:, 1])[~batch.known].all()
    recovered = model.trainer.recover(batch, model.generator(0))
    assert torch.equal(recovered[batch.known], batch.x[batch.known])
    # a recovery of no steps gives the kept chains; other events with the same numbers get new ones
    object.__setattr__(model.trainer, "recovery_steps", 0)
    object.__setattr__(model.trainer, "recovery_draws", 1)
    assert torch.allclose(model.trainer.recover(batch, model.generator(0)), kept.mean(1))
    other = Batch(batch.x + batch.known, None, batch.index, batch.known)
    hidden = ~batch.known & batch.known.any(1, keepdim=True)  # events without a known value are all alike
    assert (model.trainer.recover(other, model.generator(0)) != kept.mean(1))[hidden].all()


def refined(source: Path) -> dict[str, Any]:
    chains = {"name": "bank", "size": 32, "density": {"name": "samples", "run": str(source)}}
    return {
        **MLE_EXAMPLE,
        "recipe": "refine-example",
        "phases": {"negative": {"chains": chains, "sampler": LANGEVIN, "steps": 2}},
    }


def test_chains_start_from_the_samples_of_another_run_which_may_then_go(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = train(MLE_EXAMPLE, *QUIET, "budget.steps=1", out=tmp_path / "source")
    run = wholes(tmp_path, refined(source))
    bank = load(run, device="cpu").phases["negative"].chains.state()["x"]
    assert bank.shape == (32, 1)
    fresh = load(source, device="cpu").sample(5, seed=3)
    model = load(run, device="cpu")
    start = model.phases["negative"].chains.start(5, model.generator(3))
    assert torch.equal(start.x, fresh)
    shutil.rmtree(source)
    unfinished = tmp_path / "unfinished"
    shutil.copytree(run, unfinished)
    shutil.rmtree(unfinished / "checkpoints" / "step-00000012")
    same_end(run, train(resume=unfinished))
    assert load(run, device="cpu").sample(8).shape == (8, 1)
    assert "there is no run" in caplog.text
    with pytest.raises(MissingData, match=r"there is no run .*source, whose samples are needed; put it back"):
        train(refined(source), *QUIET, out=tmp_path / "new")


def test_a_run_of_other_events_is_refused(tmp_path: Path) -> None:
    source = train(MLE_EXAMPLE, *QUIET, "budget.steps=1", out=tmp_path / "source")
    recipe = {**refined(source), "data": {"data": {"name": "normal", "n": 64, "dim": 3}}}
    with pytest.raises(RecipeError, match=r"are real of shape \[1\], but real of shape \[3\] are needed"):
        train(recipe, *QUIET, out=tmp_path / "new")


@pytest.mark.parametrize(
    ("base", "change", "text"),
    [
        (CLAMPED, "negative.sampler={name: mala, step_size: 0.1, clip: true}", r'sampler\.clip: sampler "mala" has no'),
        (CLAMPED, "negative.sampler={name: langevin, step_size: 0.1, clip: true}", "clip needs events with a range"),
        (CLAMPED, "data.data={name: normal, dim: 4}", "the data have no condition with the leaves values and known"),
        (PROJECTED, "energy.constraint={name: pool, factor: 4}", "the data give .* but the constraint measures"),
        (PROJECTED, "data.data.constraint={name: pool, factor: 3}", r"constraint\.factor: blocks of \[3\]"),
        (CLAMPED, "negative.chains={name: memory, density: {name: gaussian}, start: {name: data}}", "either"),
        (
            {**MLE_EXAMPLE, "trainer": {"name": "improved-cd"}},
            "negative.chains={name: memory, density: {name: gaussian}, chains: 2}",
            r'chains\.chains: the trainer "improved-cd" uses one chain per example, not 2',
        ),
        (INCOMPLETE, "trainer.recovery_draws=7", r"trainer\.recovery_draws: must be from 1 to recovery_steps = 6"),
        (INCOMPLETE, "recovered.chains={name: visible}", r'trainer\.continued: needs .* of kind "memory"'),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_one_error(base: dict[str, Any], change: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=text):
        train(base, *QUIET, change, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
