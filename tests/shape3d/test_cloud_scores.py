"""The scores of clouds, against cases with known values."""

import pytest
import torch

import ebmsuite
from ebmsuite.errors import UserError
from ebmsuite.plugins.testing import watched_by
from ebmsuite_shape3d.data.clouds import grids, points
from ebmsuite_shape3d.metrics.cloud_scores import Clouds

N = 20


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    run = ebmsuite.train(
        "shape3d/clouds",
        "data.data={name: shape3d/points, count: 24}",
        "budget.steps=1",
        "negative.steps=1",
        "checkpoint.every=1",
        "render=[]",
        watched_by("log"),
        out=tmp_path_factory.mktemp("clouds") / "run",
        quiet=True,
    )
    return ebmsuite.load(run)


def scores(model, monkeypatch, samples, **settings):
    monkeypatch.setattr(model, "sample", lambda n, rng: samples[:n])
    return Clouds(**settings)(model, model.data, torch.Generator().manual_seed(0), N)


def shuffled(x):
    return torch.stack([cloud[torch.randperm(len(cloud))] for cloud in x])


def test_copies_in_another_order_are_copies(model, monkeypatch):
    found = scores(model, monkeypatch, shuffled(points("test", 24).x), emd=True)
    for ending in ("", "-emd"):
        assert found[f"1-nna{ending}"].value == 0
        assert found[f"coverage{ending}"].value == 1
        assert found[f"minimum-matching-distance{ending}"].value == 0
        assert found[f"1-nna{ending}"].protocol["copies"] == N
    assert found["jsd"].value == pytest.approx(0, abs=1e-12)
    assert found["train-distance"].value > 0


def test_copies_of_training_clouds_are_found(model, monkeypatch):
    found = scores(model, monkeypatch, shuffled(points("train", 24).x[:N]))
    assert found["train-distance"].value == 0
    assert found["train-distinct"].value == 1
    assert found["1-nna"].value > 0


def test_a_collapse_shows_in_the_number_of_distinct_nearest_shapes(model, monkeypatch):
    one = points("train", 24).x[:1].expand(N, -1, -1)
    found = scores(model, monkeypatch, one + 1e-3 * torch.randn(N, 24, 3))
    assert found["train-distinct"].value == 1 / N
    assert found["train-distinct"].protocol["distinct"] == 1
    assert found["coverage"].value <= 2 / N


def test_a_far_set_is_told_apart_unless_it_is_rescaled(model, monkeypatch):
    small = points("train", 24).x[:N] / 4
    plain, flattered = (scores(model, monkeypatch, small, rescale=rescale) for rescale in (False, True))
    assert plain["1-nna"].value > 0.95
    assert flattered["minimum-matching-distance"].value < plain["minimum-matching-distance"].value / 1.5
    assert plain["1-nna"].protocol["rescaled"] is False


@pytest.mark.parametrize("of", ["training", "gaussian", "pooled-points", "jittered"])
def test_every_baseline_has_all_scores(model, monkeypatch, of):
    def refuse(n, rng):
        raise AssertionError("a baseline draws nothing from the model")

    monkeypatch.setattr(model, "sample", refuse)
    found = Clouds(of=of)(model, model.data, torch.Generator().manual_seed(0), N)
    assert {"1-nna", "coverage", "minimum-matching-distance", "jsd", "train-distance", "train-distinct"} <= found.keys()
    assert (found["train-distance"].value == 0) == (of == "training")
    if of == "jittered":
        assert 0 < found["train-distance"].value < 10 * 3 * 0.01**2


def test_grids_are_refused(model):
    solid = grids("test")
    with pytest.raises(UserError, match="point clouds"):
        Clouds()(model, {"train": solid, "test": solid}, torch.Generator(), 4)
