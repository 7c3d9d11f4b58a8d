"""The picture of an evaluation of several methods."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ebmsuite.dataset import Shows
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.experiment.train import train
from ebmsuite.model import load
from ebmsuite.pictures.events import draw
from ebmsuite.plugins.registry import Registry, import_target
from ebmsuite.plugins.testing import watched_by
from ebmsuite.scores import Row, Suite
from ebmsuite_image.cases import METHODS, METHODS_CIFAR, STARTS
from ebmsuite_image.gallery import SAMPLES, gallery


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return train(
        "image/digits-divergence-triangle", "budget.steps=1", "budget.batch=4", "energy.width=2", "metrics=[]",
        "render=[]", watched_by(), out=tmp_path / "run", quiet=True,
    )  # fmt: skip


def row(name: str, value: float, *runs: str) -> Row:
    return Row(
        f"image/methods-{name}", f"image/digits-{name}", "fid[x]", "measured", (value,), better="lower", runs=runs
    )


def test_a_row_of_samples_per_method_best_first(run: Path, tmp_path: Path) -> None:
    rows = (row("dsm", 30.0, str(run)), row("fce", 20.0, str(run)), row("latent", 1.0))
    path = gallery(Suite("image/methods", "quick", rows, "here"), tmp_path / "x.png")
    assert path is not None
    picture = np.array(Image.open(path))
    height = 14 + 28 + 4
    assert picture.shape == (2 * height, SAMPLES * 30 + 2)
    model = load(run)
    shown = draw(model.codec_as(Shows), model.sample(SAMPLES, seed=0)).numpy()
    np.testing.assert_array_equal(picture[16:44, 2:30], shown[0])
    np.testing.assert_array_equal(picture[height + 16 : height + 44, 32:60], shown[1])
    assert not np.array_equal(picture[:14], picture[height : height + 14])  # the names
    assert gallery(Suite("image/methods", "quick", rows[2:], "here"), tmp_path / "none.png") is None
    assert not (tmp_path / "none.png").exists()


def test_the_line_above_a_row_has_the_score_of_the_start(run: Path, tmp_path: Path) -> None:
    plain = row("dsm", 30.0, str(run))
    lines = []
    for i, made in enumerate((plain, replace(plain, baselines={STARTS: 50.0}), replace(plain, baselines={"x": 50.0}))):
        path = gallery(Suite("image/methods", "quick", (made,), "here"), tmp_path / f"{i}.png")
        assert path is not None
        lines.append(np.array(Image.open(path))[:14])
    assert not np.array_equal(lines[0], lines[1])
    np.testing.assert_array_equal(lines[0], lines[2])


@pytest.mark.parametrize("methods", [METHODS, METHODS_CIFAR])
def test_every_method_is_a_registered_case_and_its_settings_fit_the_recipe(methods: SimpleNamespace) -> None:
    registry = Registry()
    registered = [import_target(c.target) for _, c in registry.list("case", domain="image")]
    assert len(vars(methods)) == 15
    for case in vars(methods).values():
        assert case in registered
        settings = [f"{key}={json.dumps(value)}" for key, value in case.settings.items()]
        assert read_recipe(case.recipe, registry, settings, "quick").budget.steps > 200
