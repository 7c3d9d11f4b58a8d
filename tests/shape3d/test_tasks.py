"""Recovery with a model: the metric, and the task on a user's grids."""

import numpy as np
import pytest
import torch

import ebmsuite
from ebmsuite.errors import DataError, UserError
from ebmsuite.plugins.testing import watched_by
from ebmsuite_shape3d.data.modelnet import modelnet10_voxels
from ebmsuite_shape3d.metrics.hidden_voxels import HiddenVoxels


@pytest.fixture
def run(stored, tmp_path):
    return ebmsuite.train(
        "shape3d/modelnet10-recovery",
        "categories=[toilet]",
        "energy.energy={name: shape3d/voxelnet, widths: [2], kernels: [4], strides: [4]}",
        "budget.steps=1",
        "checkpoint.every=1",
        "metrics=[]",
        "render=[]",
        watched_by("log"),
        out=tmp_path / "run",
        quiet=True,
    )


def test_recovery_keeps_what_is_visible_and_names_bad_inputs(run, tmp_path):
    solid = modelnet10_voxels("test")
    grids = solid.codec.occupancy(solid.x).numpy() > 0.5
    known = np.random.default_rng(0).random(grids.shape) < 0.3
    np.savez(tmp_path / "mine.npz", voxels=grids, known=known)
    facts = ebmsuite.apply(run, "shape3d/recover", tmp_path / "mine.npz", out=tmp_path / "out.npz")
    assert facts["grids"] == 6
    with np.load(tmp_path / "out.npz") as file:
        assert np.array_equal(file["voxels"][known], grids[known])
        assert not np.array_equal(file["voxels"], grids)
    assert (tmp_path / "out.png").is_file()

    np.savez(tmp_path / "whole.npz", voxels=grids)
    facts = ebmsuite.apply(run, "shape3d/recover", tmp_path / "whole.npz", out=tmp_path / "out.npz", hide=0.7)
    assert 0 < facts["error"] < 1
    assert facts["hidden"] == pytest.approx(0.7, abs=0.01)
    with pytest.raises(UserError, match="known"):
        ebmsuite.apply(run, "shape3d/recover", tmp_path / "whole.npz", out=tmp_path / "out.npz")
    np.savez(tmp_path / "bad.npz", voxels=grids, known=known[:, :20])
    with pytest.raises(DataError, match=r"bad\.npz.*boolean"):
        ebmsuite.apply(run, "shape3d/recover", tmp_path / "bad.npz", out=tmp_path / "out.npz")


def test_the_metric_judges_model_and_baselines_with_the_same_masks(run):
    model = ebmsuite.load(run)
    rng = torch.Generator().manual_seed(0)
    scores = {
        of: HiddenVoxels(of=of)(model, model.data, rng, 6) for of in ("model", "gaussian-vote", "nearest", "start")
    }
    for score in scores.values():
        assert score["error"].value == pytest.approx(score["error-grid"].value * 0.8**3)
    # voxels are independent and 30 % are occupied: the mean is the best guess, and a nearest shape is as good as any
    assert scores["start"]["error-grid"].value == pytest.approx(0.3, abs=0.01)
    assert scores["nearest"]["error-grid"].value == pytest.approx(2 * 0.3 * 0.7, abs=0.02)
    assert "error" not in HiddenVoxels(of="nearest", axis=3, hidden=0.5)(model, model.data, rng, 6)
