"""ModelNet from its meshes: its folders, splits and download."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ebmsuite.dataset import drawn_split
from ebmsuite.errors import MissingData, RecipeError
from ebmsuite_shape3d.data.modelnet_meshes import modelnet

trimesh = pytest.importorskip("trimesh")
pytest.importorskip("torch_geometric")

TRAIN = [f"{category}_{i:04d}.off" for category in ("chair", "desk") for i in (*range(1, 10), 25)]


@pytest.fixture
def meshes(tmp_path: Path) -> Path:
    """A small ModelNet10: boxes of 1 x 1 x 2, which are longest along z."""
    root = tmp_path / "made" / "ModelNet10"
    for name in TRAIN:
        folder = root / name.partition("_")[0]
        for side, file in (("train", name), ("test", name.replace("_00", "_09"))):
            (folder / side).mkdir(parents=True, exist_ok=True)
            trimesh.creation.box((1, 1, 2)).export(folder / side / file)
    (root / "README.txt").write_text("ModelNet10")
    return root


def test_splits_are_those_of_the_folders(meshes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data" / "shape3d").mkdir(parents=True)
    shutil.move(meshes, tmp_path / "data" / "shape3d" / "ModelNet10")
    monkeypatch.setenv("EBMSUITE_DATA", str(tmp_path / "data"))
    parts = {split: modelnet(categories=("chair", "desk"), size=8, split=split) for split in ("train", "valid", "test")}
    held_out = {name for name in TRAIN if drawn_split(name) == "valid"}
    assert "chair_0025.off" in held_out
    names = {split: {name.rpartition("/")[2] for name in data.meta["name"]} for split, data in parts.items()}
    assert names["valid"] == held_out
    assert names["train"] == set(TRAIN) - held_out
    assert len(parts["test"]) == len(TRAIN)
    grid = parts["test"].codec.occupancy(parts["test"].x)[0]
    sides = [int(grid.amax(axes).sum()) for axes in ((1, 2), (0, 2), (0, 1))]
    assert sides == [5, 5, 8]  # z is up; a voxel that the surface only touches counts
    with pytest.raises(RecipeError, match=r"\['sofa'\] must be names of \['chair', 'desk'\]"):
        modelnet(categories=("sofa",))


def test_it_is_downloaded_once(meshes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download_url(url: str, folder: str) -> str:
        asked.append(url)
        return shutil.make_archive(str(Path(folder) / "archive"), "zip", meshes.parent)

    monkeypatch.setattr("torch_geometric.data.download_url", download_url)
    monkeypatch.delenv("EBMSUITE_DATA", raising=False)
    monkeypatch.setenv("EBMSUITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EBMSUITE_OFFLINE", "0")
    for _ in range(2):
        assert len(modelnet(categories=("desk",), form="points", count=16, split="test")) == 10
    assert len(asked) == 1
    assert asked[0].endswith("/ModelNet10.zip")
    assert {entry.name for entry in (tmp_path / "cache" / "shape3d").iterdir()} == {"ModelNet10"}


@pytest.mark.parametrize("bad", ["offline", "damaged"])
def test_what_cannot_be_downloaded_is_one_line(bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download_url(url: str, folder: str) -> str:
        (Path(folder) / "ModelNet10.zip").write_text("<html>")
        return str(Path(folder) / "ModelNet10.zip")

    monkeypatch.setattr("torch_geometric.data.download_url", download_url)
    monkeypatch.delenv("EBMSUITE_DATA", raising=False)
    monkeypatch.setenv("EBMSUITE_CACHE", str(tmp_path))
    monkeypatch.setenv("EBMSUITE_OFFLINE", "1" if bad == "offline" else "0")
    why = "EBMSUITE_OFFLINE is set" if bad == "offline" else "ModelNet10.zip is damaged"
    with pytest.raises(MissingData, match=f"cannot be downloaded .{why}.*put shape3d/ModelNet10/CATEGORY/train"):
        modelnet()
    assert not list(tmp_path.rglob("*.zip"))
