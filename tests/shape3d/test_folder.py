"""The user's own meshes, clouds and grids: every format, and files that cannot be used."""

import logging

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation

from ebmsuite.dataset import drawn_split
from ebmsuite.errors import DataError, RecipeError
from ebmsuite_shape3d.codec import CloudCodec, VoxelCodec
from ebmsuite_shape3d.data.folder import folder
from ebmsuite_shape3d.meshes import MESHES, Mesh, read_mesh, upright, upright_grids

trimesh = pytest.importorskip("trimesh")

TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"


def chair(low=0.0):
    """A seat of 2 x 2 x 1 with a back to the height 3: closed parts, which touch."""
    parts = [trimesh.creation.box(bounds=[[0, 0, 0], [2, 2, 1]]), trimesh.creation.box(bounds=[[0, 0, 1], [2, 1, 3]])]
    mesh = trimesh.util.concatenate(parts)
    mesh.apply_translation([low, low, low])
    return mesh


@pytest.mark.parametrize("ending", MESHES)
def test_every_format_gives_the_same_shape(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    chair(5.0).export(path)
    mesh = read_mesh(path)
    assert mesh.closed
    grid = VoxelCodec(size=12).read(path)
    filled = grid.x[0, 0].bool()
    expected = torch.zeros(12, 12, 12, dtype=torch.bool)
    expected[2:10, 2:10, :4] = True
    expected[2:10, 2:6, 4:] = True
    # voxels that the surface only touches may count as well
    assert (filled | ~expected).all()
    assert not (filled.numpy() & ~binary_dilation(expected, np.ones((3, 3, 3)))).any()
    cloud = CloudCodec(points=4000).read(path).x[0]
    assert float(cloud.abs().max()) <= 1 + 1e-6
    on_seat = (cloud[:, 1] > 1e-3).float().mean()  # of the surface: front half of the seat
    area = (2 * 1 + 2 * 1 * 2 + 2 * 1 * 1) / chair().area
    assert float(on_seat) == pytest.approx(area, abs=0.03)


def test_a_box_is_filled_exactly():
    box = trimesh.creation.box()
    for size in (5, 8, 24):
        mesh = Mesh(np.asarray(box.triangles) * 2, np.zeros((0, 3)), True)
        assert mesh.voxels(size).all()


def test_parts_of_a_scene_are_joined_and_a_cloud_is_a_shape(tmp_path):
    scene = trimesh.Scene([trimesh.creation.box()])
    far = trimesh.creation.box()
    far.apply_translation([3, 0, 0])
    scene.add_geometry(far)
    scene.export(tmp_path / "two.glb")
    assert len(read_mesh(tmp_path / "two.glb").triangles) == 24
    trimesh.PointCloud(np.random.default_rng(0).random((50, 3))).export(tmp_path / "points.ply")
    read = CloudCodec(points=20).read(tmp_path / "points.ply").x
    assert read.shape == (1, 20, 3)
    assert len(torch.unique(read[0], dim=0)) == 20
    assert int(VoxelCodec(size=4).read(tmp_path / "points.ply").x.sum()) > 10


def test_up_turns_without_a_reflection():
    frame = np.eye(3)
    for up, axis in (("x", 0), ("y", 1), ("z", 2)):
        turned = upright(frame, up)
        assert turned[axis].tolist() == [0, 0, 1]
        assert np.linalg.det(turned) == pytest.approx(1)
    rng = np.random.default_rng(0)
    at = rng.integers(0, 5, (20, 3))
    grid = np.zeros((1, 5, 5, 5), np.float32)
    grid[0, at[:, 0], at[:, 1], at[:, 2]] = 1
    for up in ("x", "y", "z"):
        there = np.rint(upright(at - 2.0, up) + 2).astype(int)
        assert upright_grids(grid, up)[0, there[:, 0], there[:, 1], there[:, 2]].all()


def test_a_generated_glb_stands_upright_for_viewers(tmp_path):
    pytest.importorskip("skimage")
    codec, solid = VoxelCodec(size=12), torch.zeros(1, 12, 12, 12)
    solid[:, 3:9, 3:9, :] = 1  # tall along the last axis
    codec.write(codec.events(solid), tmp_path / "tall.glb")
    corners = read_mesh(tmp_path / "tall.glb").triangles.reshape(-1, 3)
    assert np.ptp(corners, 0).argmax() == 1
    again = VoxelCodec(size=12, up="y").read(tmp_path / "tall.glb").x[0, 0].sum((0, 1))
    assert (again > 0).all()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.obj", "", "empty"),
        ("empty.stl", "solid a\nendsolid a\n", "empty"),
        ("line.obj", "v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "degenerate"),
        ("point.obj", "v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n", "degenerate"),
        ("nan.obj", TRIANGLE.replace("1 0 0", "nan 0 0") + "f 1 2 3\n", "not finite"),
        ("inf.obj", TRIANGLE.replace("1 0 0", "inf 0 0") + "f 1 2 3\n", "not finite"),
        ("index.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n", "cannot be read"),
        ("short.off", "OFF\n3 1 0\n0 0 0\n1 0", "cannot be read"),
        ("short.glb", b"glTF\x02\x00\x00\x00", "cannot be read"),
        ("text.ply", "no mesh", "cannot be read"),
    ],
)
def test_a_mesh_that_cannot_be_used_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError, match=rf"{name}.*{message}"):
        read_mesh(tmp_path / name)


def test_huge_meshes_are_refused(tmp_path):
    chair().export(tmp_path / "a.off")
    with pytest.raises(DataError, match=r"a\.off.*24 triangles, more than 20"):
        read_mesh(tmp_path / "a.off", most=20)
    with pytest.raises(DataError, match=r"a\.off.*too large"):
        read_mesh(tmp_path / "a.off", most=1)
    with pytest.raises(DataError, match="no such file"):
        read_mesh(tmp_path / "none.off")


def test_the_header_of_modelnet_is_read(tmp_path):
    (tmp_path / "a.off").write_text("OFF3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n")
    assert len(read_mesh(tmp_path / "a.off").triangles) == 1


@pytest.fixture
def mine(tmp_path):
    """Names that fall into the splits: a, ... (see `names`)."""
    root = tmp_path / "mine"
    root.mkdir()
    names = {
        split: next(f"s{i}" for i in range(999) if drawn_split(f"s{i}.off") == split) for split in ("train", "test")
    }
    chair().export(root / f"{names['train']}.off")
    chair().export(root / f"{names['test']}.off")
    return root, names


def test_a_folder_is_read_split_and_scaled(mine):
    root, names = mine
    train, test, valid = (folder(str(root), "z", size=12, split=split) for split in ("train", "test", "valid"))
    assert [len(train), len(test), len(valid)] == [1, 1, 0]
    assert test.meta["name"].tolist() == [f"{names['test']}.off"]
    assert train.event.shape == (1, 12, 12, 12)
    assert abs(float(train.x.mean())) < 1e-6
    assert train.codec == test.codec
    clouds = folder(str(root), "y", form="points", count=100)
    assert clouds.x.shape == (1, 100, 3)


def test_what_cannot_be_used_is_an_error_or_reported(mine, caplog):
    root, names = mine
    (root / "notes.txt").write_text("hello")
    ajar = chair()
    ajar.update_faces(np.arange(len(ajar.faces)) > 0)
    ajar.export(root / f"{names['train']}.stl")
    split_of_ajar = drawn_split(f"{names['train']}.stl")
    with caplog.at_level(logging.WARNING, "ebmsuite"):
        data = folder(str(root), "z", size=12, split=split_of_ajar)
    assert data.skipped == {"not a file of shapes": ["notes.txt"]}
    assert f"not closed: {names['train']}.stl" in caplog.text
    (root / "bad.obj").write_text("")
    with pytest.raises(DataError, match=r"bad\.obj.*invalid: skip"):
        folder(str(root), "z", size=12)
    skipped = folder(str(root), "z", size=12, invalid="skip").skipped
    assert "bad.obj" in skipped["files of shapes that cannot be used"][0]
    for file in root.iterdir():
        file.unlink()
    with pytest.raises(DataError, match="no shapes"):
        folder(str(root), "z")
    with pytest.raises(DataError, match="not a folder"):
        folder(__file__, "z")
    with pytest.raises(RecipeError):
        folder(str(root), "z", size=0)


def test_other_numbers_in_a_grid_need_a_threshold(tmp_path):
    counts = np.random.default_rng(0).integers(0, 9, (2, 6, 6, 6))
    np.savez(tmp_path / "counts.npz", voxels=counts)
    with pytest.raises(DataError, match=r"counts\.npz, grid 0.*occupied_above"):
        VoxelCodec(size=6).read(tmp_path / "counts.npz")
    read = VoxelCodec(size=6, occupied_above=4).read(tmp_path / "counts.npz").x[:, 0]
    assert torch.equal(read, torch.from_numpy(counts > 4).float())
    signed = VoxelCodec(size=6, occupied_above=-3.5)
    np.save(tmp_path / "signed.npy", -counts[0])
    assert torch.equal(signed.read(tmp_path / "signed.npy").x[0, 0], torch.from_numpy(-counts[0] > -3.5).float())
    with pytest.raises(DataError, match="empty"):
        VoxelCodec(size=6, occupied_above=9).read(tmp_path / "counts.npz")
