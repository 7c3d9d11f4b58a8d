"""A trained model on a user's file: prediction, pictures and samples."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ebmsuite
from ebmsuite.errors import DataError, UserError
from ebmsuite.plugins.testing import rng
from ebmsuite_trajectory.codec import TrackCodec
from ebmsuite_trajectory.metrics import Weights
from ebmsuite_trajectory.render import Overlay, Paths
from ebmsuite_trajectory.tasks.predict import Predict

SMALL = ("budget.steps=2", "budget.batch=8", "metrics=[]", "render=[]")


@pytest.fixture(scope="module")
def forecaster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learned nothing yet: its forecasts are near constant velocity, to which the net adds."""
    nets = ("generator.width=8", "encoder.width=8", "energy.width=8", "prior.steps=2")
    return ebmsuite.train("trajectory/zara-lebm", *SMALL, *nets, out=tmp_path_factory.mktemp("runs") / "run")


def tracks(path: Path, agents: int = 3, frames: int = 8, header: str = "frame,id,x,y") -> Path:
    rows = [f"{10 * t},{a},{0.5 * t + a},{2.0 * a}" for t in reversed(range(frames)) for a in range(agents)]
    path.write_text("\n".join([header, *rows, "70,late,0,0"]) + "\n", encoding="utf-8")
    return path


def test_predictions_are_in_the_coordinates_of_the_file(forecaster: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    facts = Predict(k=4)(ebmsuite.load(forecaster), tracks(tmp_path / "mine.csv"), out, rng())
    assert facts["agents"] == 3
    assert facts["skipped, agents without 8 successive frames at the end of its track"] == 1
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 4 * 12
    assert {row["sample"] for row in rows} == {"0", "1", "2", "3"}
    assert {int(row["frame"]) for row in rows} == {70 + 10 * t for t in range(1, 13)}
    for row in rows:
        agent, step = int(row["agent"]), int(row["frame"]) // 10
        assert abs(float(row["x"]) - (0.5 * step + agent)) < 1.5, "near constant velocity, to which the net adds"
        assert abs(float(row["y"]) - 2.0 * agent) < 1.5
    with Image.open(out.with_suffix(".png")) as picture:
        assert picture.size == (1000, 750)


def test_units_and_columns_of_the_task(forecaster: Path, tmp_path: Path) -> None:
    model, path = ebmsuite.load(forecaster), tracks(tmp_path / "mine.csv", header="when,who,east,north")
    with pytest.raises(DataError, match='no column for "frame"'):
        Predict()(model, path, tmp_path / "out.csv", rng())
    Predict(k=1, columns="when who east north", units="feet")(model, path, tmp_path / "out.csv", rng())
    with (tmp_path / "out.csv").open() as file:
        last = next(row for row in csv.DictReader(file) if row["agent"] == "2")
    assert abs(float(last["y"]) - 4 * 0.3048) < 0.5, "the result is in metres"
    assert not (tmp_path / "mine.png").exists()


def test_a_file_without_a_usable_agent_is_one_error(forecaster: Path, tmp_path: Path) -> None:
    model = ebmsuite.load(forecaster)
    with pytest.raises(DataError, match="no agent has 8 successive frames at the end of its track"):
        Predict()(model, tracks(tmp_path / "short.csv", frames=7), tmp_path / "out.csv", rng())
    with pytest.raises(UserError, match="needs a file of tracks: give one with --input"):
        Predict()(model, None, tmp_path / "out.csv", rng())
    with pytest.raises(UserError, match="k: at least one future is needed"):
        Predict(k=0)(model, tracks(tmp_path / "mine.csv"), tmp_path / "out.csv", rng())
    assert not list(tmp_path.glob("out*"))


def test_pictures_of_forecasts(forecaster: Path, tmp_path: Path) -> None:
    (path,) = Overlay(k=3)(ebmsuite.load(forecaster), tmp_path, rng(), 4)
    with Image.open(path) as picture:
        colours = torch.from_numpy(np.array(picture.convert("RGB")).astype(int)).flatten(0, 1)
    red, blue = colours[:, 0] - colours[:, 2] > 60, colours[:, 2] - colours[:, 0] > 60
    assert red.sum() > 50, "futures"
    assert blue.sum() > 50, "the true futures"


def test_weights_and_paths_of_drivers(tmp_path: Path) -> None:
    run = ebmsuite.train("trajectory/lanes-ioc", *SMALL, "negative.steps=2", out=tmp_path / "run")
    model = ebmsuite.load(run)
    (path,) = Paths()(model, tmp_path, rng(), 2)
    with Image.open(path) as picture:
        assert picture.size == (2 * 480, 2 * 60)
    learned = Weights()(model, model.data, rng(), 1)["angle"].value
    equal = Weights("equal")(model, model.data, rng(), 1)["angle"].value
    assert 10 < learned < equal, "learning started at equal weights, far from the true ones"


def test_a_run_on_a_users_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    rows = [f"{t},{a},{0.4 * t + a},{a}" for t in range(250) for a in range(2)]
    path.write_text("frame,id,x,y\n" + "\n".join(rows) + "\n", encoding="utf-8")
    data = f"data.data={{name: trajectory/tracks-file, path: {path}, stretch: 0.5}}"
    run = ebmsuite.train(
        "trajectory/zara-cvae", *SMALL, "generator.width=8", "encoder.width=8", data, out=tmp_path / "run"
    )
    model = ebmsuite.load(run)
    assert isinstance(model.codec, TrackCodec)
    facts = Predict(k=2)(model, path, tmp_path / "out.csv", rng())
    assert facts["agents"] == 2
