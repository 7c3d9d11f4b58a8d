"""The stability guard: divergence at every scale, its message, and the same decisions after a resume."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ebmsuite.builtin.examples import LATENT_EXAMPLE, MLE_EXAMPLE
from ebmsuite.errors import Stopped
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.experiment.run import read_log
from ebmsuite.experiment.train import train
from ebmsuite.hookspecs import hookimpl
from ebmsuite.plugins.conformance import interrupted_run, same_end
from ebmsuite.plugins.registry import Registry
from ebmsuite.plugins.testing import watched_by

CHANGES = ("log.every=2", "checkpoint.every=10", "compute.fast=eager", "energy.lr=1e-4", "budget.steps=40")


class Follow:
    """Replaces numbers that a trainer logs: ``numbers(step)`` gives them by name."""

    def __init__(self, numbers) -> None:
        self.numbers = numbers

    @hookimpl(tryfirst=True)
    def ebm_step_end(self, run, step, logs):
        logs |= {k: torch.as_tensor(float(v)) for k, v in self.numbers(step, len(run.events)).items()}


def followed(numbers, example: dict, *changes: str, **options) -> Path:
    registry = Registry()
    registry.plugins.load_all()
    callback = Follow(numbers)
    registry.plugins.add(callback, "follow")
    try:
        return train(example, *changes, registry=registry, quiet=True, **options)
    finally:
        registry.plugins.remove(callback)


def events(run: Path) -> list[dict]:
    return [r for r in read_log(run / "metrics.jsonl") if "event" in r]


@pytest.mark.parametrize(
    ("numbers", "at"),
    [
        (lambda t: 5e8 / t, None),  # video on the scale of 0 to 255
        (lambda t: -3e6, None),
        (lambda t: 200.0 if t < 8 else 1.5e4, None),  # 75 times what it was
        (lambda t: 5e8 if t < 20 else 1e11, 20),
        (lambda t: 0.1 * 3.0**t, 11),  # 0.1 * 3^11 = 17,715 nats
        (lambda t: -10.0 if t < 30 else -2e4, 30),
    ],
)
def test_the_limit_of_the_gap_follows_the_scale_of_the_run(numbers, at, tmp_path: Path) -> None:
    def once(t: int, rollbacks: int) -> dict:
        return {"gap": numbers(t) if not rollbacks else numbers(1)}

    out = followed(once, MLE_EXAMPLE, *CHANGES, watched_by("log", "guard"), out=tmp_path / "run")
    found = events(out)
    assert [f"(step {at})" in e["reason"] for e in found] == ([True] if at else [])
    if at:
        assert "in the first windows" in found[0]["reason"]
        assert "growth" in found[0]["reason"]


@pytest.mark.slow
def test_growth_and_an_absolute_limit_are_settings(tmp_path: Path) -> None:
    def grows(t: int, rollbacks: int) -> dict:
        return {"gap": 1e6 if t < 20 else 2e7}

    for setting, fails in (("growth: 0.1", True), ("growth: 1", False), ("gap: 1e8", False), ("gap: 1e5", True)):
        watch = f"watch=[{{name: log}}, {{name: guard, events: 0, {setting}}}, {{name: progress, enabled: false}}]"
        out = tmp_path / setting.replace(": ", "")
        if fails:
            with pytest.raises(Stopped, match=r"gap is (2|1)e\+0\d"):
                followed(grows, MLE_EXAMPLE, *CHANGES, watch, out=out)
        else:
            followed(grows, MLE_EXAMPLE, *CHANGES, watch, out=out)


@pytest.mark.parametrize(
    ("name", "value", "bad"),
    [
        ("gap", -1.65e3, True),  # of latent vectors, where the gap of events may be as large
        ("gap", 300.0, False),
        ("z/prior", 45.0, True),
        ("z/posterior", 1e3, True),
        ("z/posterior", 8.0, False),
    ],
)
def test_latent_vectors_and_their_energies_are_watched(name: str, value: float, bad: bool, tmp_path: Path) -> None:
    def numbers(t: int, rollbacks: int) -> dict:
        return {name: value} if t == 9 and not rollbacks else {}

    changes = ("log.every=2", "checkpoint.every=4", "budget.steps=12", "compute.fast=eager")
    out = followed(numbers, LATENT_EXAMPLE, *changes, watched_by("log", "guard"), out=tmp_path / "run")
    found = events(out)
    assert len(found) == bad
    if bad:
        assert found[0]["reason"].startswith(f"{name} is {value:.3g}, but it was about")
        assert found[0]["to"] == 8


@pytest.mark.parametrize("step", [3, 13, 27])
def test_an_interrupted_run_decides_alike(step: int, tmp_path: Path) -> None:
    """The size at the start is known after a resume, also in the first window."""

    def numbers(t: int, rollbacks: int) -> dict:
        return {"gap": 3e5 if t != 29 or rollbacks else 9e7}

    watch = watched_by("log", "guard")
    whole = followed(numbers, MLE_EXAMPLE, *CHANGES, "log.every=5", watch, out=tmp_path / "whole")
    registry = Registry()
    registry.plugins.load_all()
    recipe = read_recipe(MLE_EXAMPLE, registry, [*CHANGES, "log.every=5", watch])
    callback = Follow(numbers)
    registry.plugins.add(callback, "follow")
    try:
        parts = interrupted_run(recipe, tmp_path / "parts", step, registry)
    finally:
        registry.plugins.remove(callback)
    assert len(events(whole)) == 1
    assert "3e+05" in events(whole)[0]["reason"]
    same_end(whole, parts)
    assert events(whole) == events(parts)
