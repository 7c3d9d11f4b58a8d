"""The data: cleaning, sizes, surfaces, splits, and the files of users."""

import numpy as np
import pytest
import torch

from ebmsuite.errors import DataError, RecipeError
from ebmsuite_shape3d.codec import CloudCodec, VoxelCodec
from ebmsuite_shape3d.data import modelnet
from ebmsuite_shape3d.data.clouds import grids, modelnet10_points, points
from ebmsuite_shape3d.grids import resized, surface_points, voxels_of


def box(low, high, side=30):
    grid = np.zeros((side,) * 3, bool)
    grid[low:high, low:high, low:high] = True
    return grid


def test_cleaning_leaves_out_what_would_spoil_a_comparison():
    a, b, c, d, none = box(3, 6), box(3, 7), box(3, 8), box(3, 9), np.zeros((30,) * 3, bool)
    train = np.stack([a, a, b, b, none, c]), np.array([0, 0, 0, 1, 0, 1])
    test = np.stack([a, d, d, none, c, box(4, 9)]), np.array([0, 0, 0, 0, 0, 1])
    training, testing = modelnet.cleaned(train, test, [0])
    assert training.rows.tolist() == [0, 1]
    assert training.skipped == {"training grid with several labels": ["row 2"], "empty training grid": ["row 4"]}
    assert testing.rows.tolist() == [1]
    assert testing.skipped == {
        "test grid that is a training grid": ["row 0", "row 4"],
        "repeated test grid": ["row 2"],
        "empty test grid": ["row 3"],
    }


def test_splits_and_events_of_modelnet(stored):
    parts = {split: modelnet.modelnet10_voxels(split) for split in ("train", "valid", "test")}
    assert [len(part) for part in parts.values()] == [36, 4, 6]
    train = parts["train"]
    assert train.event.shape == (1, 24, 24, 24)
    assert abs(float(train.x.mean())) < 1e-5
    assert set(train.codec.occupancy(train.x).unique().round(decimals=5).tolist()) == {0.0, 1.0}
    assert {part.codec for part in parts.values()} == {train.codec}
    names = [set(part.meta["name"]) for part in parts.values()]
    assert len(set.union(*names)) == 46
    assert next(iter(names[2])).startswith("toilet-test-")


def test_labels_are_those_of_the_categories_chosen(stored):
    data = modelnet.modelnet10_voxels(categories=("toilet", "bed"), labels=True)
    assert data.condition.names == ("bed", "toilet")
    assert set(data.labels.tolist()) == {1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vox_test": np.zeros((6, 3374), np.uint8)}, "vox_test must be uint8"),
        ({"vox_train": np.zeros((40, 3375), np.float32)}, "vox_train must be uint8"),
        ({"y_train": np.full(40, 10)}, "labels from 0 to 9"),
        ({"y_test": None}, "y_test"),
    ],
)
def test_a_wrong_file_is_named(stored, change, message):
    path, arrays = stored
    np.savez(path, **{k: v for k, v in {**arrays, **change}.items() if v is not None})
    with pytest.raises(DataError, match=message):
        modelnet.modelnet10_voxels()
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match="damaged"):
        modelnet.modelnet10_voxels()


@pytest.mark.parametrize("settings", [{"categories": ("car",)}, {"size": 16}, {"valid": 1.0}])
def test_a_wrong_setting_is_refused(stored, settings):
    with pytest.raises(RecipeError):
        modelnet.modelnet10_voxels(**settings)


def test_sizes_keep_the_object():
    grid = box(3, 27)[None]
    for size in (24, 30, 32):
        assert resized(grid, size).sum() == 24**3
        assert resized(grid, size).shape == (1, size, size, size)
    odd = box(3, 4)[None]
    assert resized(odd, 12)[0, 0, 0, 0] == 1 / 8
    assert resized(odd, 12).sum() == 1 / 8


def test_surface_points_lie_on_the_faces_of_the_box():
    cloud = surface_points(box(3, 9), 500, np.random.default_rng(0))
    np.testing.assert_allclose(np.abs(cloud).max(1), 1, atol=1e-6)
    sides = [np.isclose(cloud[:, axis], way, atol=1e-6).mean() for axis in range(3) for way in (-1, 1)]
    np.testing.assert_allclose(sides, 1 / 6, atol=0.06)


def test_surface_points_of_a_modelnet_category(stored):
    data = modelnet10_points("test", "toilet", count=50)
    assert data.x.shape == (6, 50, 3)
    assert float(data.x.abs().max()) <= 1
    assert torch.equal(data.x, modelnet10_points("test", "toilet", count=50).x)


def test_voxels_of_corners():
    grid = voxels_of(np.array([[[-1, -1, -1], [1, 1, 1], [0.01, -0.99, 0.99]]]), 4)[0]
    assert np.argwhere(grid).tolist() == [[0, 0, 0], [2, 0, 3], [3, 3, 3]]


def test_the_embedded_clouds_are_disjoint_and_in_their_box():
    parts = [points(split) for split in ("train", "valid", "test")]
    x = torch.cat([part.x for part in parts])
    assert [len(part) for part in parts] == [135, 20, 20]
    assert len({cloud.numpy().tobytes() for cloud in x}) == 175
    assert float(x.abs().max()) <= 1
    assert float(x.abs().amax((1, 2)).median()) == 1
    solid = grids(size=12)
    assert solid.event.shape == (1, 12, 12, 12)
    assert abs(float(solid.x.mean())) < 1e-5


def test_grids_are_read_back_as_written(tmp_path):
    codec, solid = VoxelCodec(size=8, mean=0.2), (torch.rand(3, 8, 8, 8) > 0.5).float()
    codec.write(codec.events(solid), tmp_path / "a.npz")
    assert torch.equal(codec.occupancy(codec.read(tmp_path / "a.npz").x).round(), solid)
    np.save(tmp_path / "b.npy", solid[0].numpy() > 0.5)
    assert len(codec.read(tmp_path / "b.npy")) == 1


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 8, 8, 8)), "grid 0: it is empty"),
        (np.full((8, 8, 8), 255), "from 0 to 1"),
        (np.full((8, 8, 8), np.nan), "not finite"),
        (np.ones((2, 8, 8, 9)), "shape"),
        (np.ones((0, 8, 8, 8)), "shape"),
        (np.full((8, 8, 8), "x"), "must hold numbers"),
    ],
)
def test_a_bad_grid_is_named(tmp_path, array, message):
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(DataError, match=rf"bad\.npy.*{message}"):
        VoxelCodec(size=8).read(tmp_path / "bad.npy")


def test_files_that_are_no_arrays(tmp_path):
    (tmp_path / "a.npz").write_text("no")
    (tmp_path / "a.txt").write_text("no")
    np.savez(tmp_path / "two.npz", one=np.ones(3), two=np.ones(3))
    for name, message in (
        ("a.npz", "damaged"),
        ("a.txt", r"must be \.npz"),
        ("no.npy", "no such"),
        ("two.npz", "voxels"),
    ):
        with pytest.raises(DataError, match=message):
            VoxelCodec(size=8).read(tmp_path / name)


def test_clouds_are_centred_and_scaled(tmp_path):
    codec, x = CloudCodec(points=10), torch.rand(2, 30, 3) * 5 + 7
    np.save(tmp_path / "a.npy", x.numpy())
    read = codec.read(tmp_path / "a.npy").x
    assert read.shape == (2, 10, 3)
    assert float(read.abs().max()) <= 1 + 1e-5
    codec.write(read, tmp_path / "b.npz")
    assert len(codec.read(tmp_path / "b.npz")) == 2
    codec.write(read[:1], tmp_path / "b.ply")
    assert (tmp_path / "b.ply").read_text().splitlines()[2] == "element vertex 10"
    for bad in (np.ones((2, 5, 3)), np.ones((2, 30, 2)), np.ones((2, 30, 3)), np.full((2, 30, 3), np.inf)):
        np.save(tmp_path / "bad.npy", bad)
        with pytest.raises(DataError, match=r"bad\.npy"):
            codec.read(tmp_path / "bad.npy")


def test_the_surface_of_a_box_has_its_volume(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    pytest.importorskip("skimage")
    codec, solid = VoxelCodec(size=24), torch.from_numpy(box(4, 20, 24)).float()[None]
    codec.write(codec.events(solid), tmp_path / "box.ply")
    mesh = trimesh.load(tmp_path / "box.ply")
    assert mesh.is_watertight
    assert abs(mesh.volume) == pytest.approx((16 / 12) ** 3, rel=0.05)
    np.testing.assert_allclose(mesh.bounds, [[-2 / 3] * 3, [2 / 3] * 3], atol=1e-5)
    with pytest.raises(DataError, match="no surface"):
        codec.write(torch.zeros(1, 1, 24, 24, 24), tmp_path / "none.ply")
    with pytest.raises(DataError, match="one shape"):
        codec.write(torch.zeros(2, 1, 24, 24, 24), tmp_path / "two.ply")
