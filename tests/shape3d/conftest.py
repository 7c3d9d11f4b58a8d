"""A small file of grids in the place of ModelNet10."""

import numpy as np
import pytest

from ebmsuite_shape3d.data import modelnet


@pytest.fixture
def stored(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    arrays = {}
    for side, n in (("train", 40), ("test", 6)):
        solid = np.zeros((n, 30, 30, 30), bool)
        solid[:, 3:27, 3:27, 3:27] = rng.random((n, 24, 24, 24)) < 0.3
        arrays[f"vox_{side}"] = np.packbits(solid.reshape(n, -1), axis=1)
        arrays[f"y_{side}"] = np.full(n, 9)
    (tmp_path / "shape3d").mkdir()
    path = tmp_path / modelnet.FILE
    np.savez(path, **arrays)
    monkeypatch.setenv("EBMSUITE_DATA", str(tmp_path))
    return path, arrays
