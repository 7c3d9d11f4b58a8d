"""The plugin keeps the contract of the suite, and its recipes learn."""

import numpy as np
import pytest
import torch
from PIL import Image

import ebmsuite
from ebmsuite.errors import UserError
from ebmsuite.plugins.testing import assert_conforms, watched_by

TINY = ("budget.steps=2", "budget.batch=4", "checkpoint.every=2", "render=[]", watched_by("log"))


@pytest.mark.slow
def test_conforms():
    assert_conforms("shape3d")


def test_grids_are_learned_drawn_and_written(tmp_path):
    run = ebmsuite.train("shape3d/voxels", *TINY, "chains.size=8", "negative.steps=2", out=tmp_path / "run", quiet=True)
    out = tmp_path / "new.npz"
    facts = ebmsuite.apply(run, "shape3d/generate", out=out, n=3, threshold=0.05, meshes="glb")
    assert facts["shapes"] == 3
    with np.load(out) as file:
        assert file["voxels"].shape == (3, 12, 12, 12)
        filled = [i for i, solid in enumerate(file["voxels"]) if solid.any()]
        assert np.array_equal(file["voxels"], file["occupancy"] > 0.05)
    assert filled
    assert facts["empty"] == 3 - len(filled)
    assert sorted(f.name for f in (tmp_path / "new").iterdir()) == [f"{i:03d}.glb" for i in filled]
    assert (tmp_path / "new.png").is_file()
    with Image.open(tmp_path / "new.gif") as film:
        assert film.n_frames == 24
    for wrong in ({"threshold": 0.0}, {"threshold": 1.5}, {"n": 0}, {"neighbours": -1}):
        with pytest.raises(UserError):
            ebmsuite.apply(run, "shape3d/generate", out=out, **wrong)


def test_clouds_are_learned_and_compared(tmp_path):
    run = ebmsuite.train("shape3d/clouds", *TINY, "negative.steps=2", "data.count=32", out=tmp_path / "run", quiet=True)
    model = ebmsuite.load(run)
    x = model.sample(2, rng=torch.Generator().manual_seed(0))
    assert x.shape == (2, 32, 3)
    assert float(x.abs().max()) <= 1
    facts = ebmsuite.apply(run, "shape3d/generate", out=tmp_path / "new.npz", n=2, meshes="ply", turntable=False)
    assert len(list((tmp_path / "new").iterdir())) == facts["shapes"] == 2
